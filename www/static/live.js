/* The dashboard: asks /stats each second and shows what came of it.
 *
 * Rates are differences of two answers; when the server was started anew in between, there is none.
 * A number that the answer does not have is left out: the panel stays hidden or the line gets a
 * gap.  What is wrong is said once, in a sentence: the server is gone, it refuses, it was paused. */

import { Chart, makeElement, roundBinarily } from "./chart.js";

const SOURCE = "/stats?format=json";
const INTERVAL_MS = 1000;
const PATIENCE_MS = 5000;

const SENTENCES = {
	waiting: () => "Asking the server …",
	live: () => "The server is there. Each second the last minute moves on.",
	gone: (since) => `The server is gone: no answer since ${since}. Asking again each second.`,
	refused: (status) => `The server is there, but shows no numbers here: it answered ${status}.`,
	paused: () => "Paused. The server goes on.",
};

/* Numbers as words */

function plain(value) {
	if (value >= 1e6)
		return `${(value / 1e6).toFixed(2)} M`;
	if (value >= 1e4)
		return `${(value / 1e3).toFixed(1)} k`;
	return value.toLocaleString("en", { maximumFractionDigits: value < 10 ? 1 : 0 });
}

function whole(value) {
	return value.toLocaleString("en", { maximumFractionDigits: 0 });
}

function ratio(value) {
	return value.toFixed(value < 100 ? 2 : 0);
}

function bytes(value) {
	const units = ["B", "KiB", "MiB", "GiB", "TiB"];
	let index = 0;

	while (value >= 1024 && index < units.length - 1) {
		value /= 1024;
		index++;
	}
	return `${value.toFixed(index > 0 && value < 100 ? 1 : 0)} ${units[index]}`;
}

function microseconds(value) {
	if (value >= 1e6)
		return `${(value / 1e6).toFixed(1)} s`;
	if (value >= 1e3)
		return `${(value / 1e3).toFixed(value < 1e4 ? 2 : value < 1e5 ? 1 : 0)} ms`;
	return `${value.toFixed(0)} µs`;
}

function duration(seconds) {
	const parts = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];
	const first = Math.max(0, parts.findIndex(([length]) => seconds >= length));

	return (seconds < 1 ? parts.slice(-1) : parts.slice(first, first + 2)).map(([length, unit]) => {
		const count = Math.floor(seconds / length);

		seconds -= count * length;
		return `${count} ${unit}`;
	}).join(" ");
}

/* What an answer says */

function differenceOf(earlier, later, key) {
	return later.counters?.[key] - earlier?.counters?.[key];
}

/* Of two answers `seconds` apart; NaN where one of them does not have the key. */
function rateOf(earlier, later, seconds, key) {
	return differenceOf(earlier, later, key) / seconds;
}

function wasRestarted(earlier, later) {
	return later.uptime_seconds < earlier.uptime_seconds ||
		differenceOf(earlier, later, "requests") < 0;
}

/* The panels, each with show(answer, earlier, seconds, now) */

function panelOf(name) {
	const element = document.querySelector(`[data-panel="${name}"]`);

	return {
		element,
		plot: element.querySelector(".plot"),
		set: (value, text) => {
			element.querySelector(`[data-value="${value}"]`).textContent = text;
		},
	};
}

/* A line for each name, with its number beside it; `options` are those of a chart. */
function seriesPanel(name, names, options, valuesOf) {
	const { element, plot } = panelOf(name);
	const chart = new Chart(plot, { seriesCount: names.length, ...options });
	const list = element.querySelector(".series");
	const readings = names.map((text, index) => {
		const item = makeElement("li", { class: `series-${index}` });
		const reading = makeElement("b", { "data-series": text }, "–");

		item.append(reading, makeElement("span", {}, text));
		list.append(item);
		return reading;
	});

	return (answer, earlier, seconds, now) => {
		const values = valuesOf(answer, earlier, seconds);

		if (values.some(Number.isFinite)) {
			element.hidden = false;
			chart.add(now, values);
			readings.forEach((reading, index) => {
				const isKnown = Number.isFinite(values[index]);

				reading.textContent = isKnown ? options.format(values[index]) : "–";
			});
		}
		chart.draw(now);
	};
}

/* One line and one large number. */
function singlePanel(name, options, valueOf) {
	const { element, plot, set } = panelOf(name);
	const chart = new Chart(plot, { seriesCount: 1, ...options });

	return (answer, earlier, seconds, now) => {
		const value = valueOf(answer, earlier, seconds);

		if (Number.isFinite(value)) {
			element.hidden = false;
			chart.add(now, [value]);
			set("now", options.format(value));
		}
		chart.draw(now);
	};
}

function makeBar(state) {
	const item = makeElement("li");
	const drawing = makeElement("svg:svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none",
		"aria-hidden": "true" });
	const bar = makeElement("svg:rect", { height: 6, width: 0 });
	const count = makeElement("b", { "data-state": state });

	drawing.append(bar);
	item.append(makeElement("span", {}, state.replaceAll("_", " ")), count, drawing);
	return { item, bar, count };
}

function connectionsPanel() {
	const { element, set } = panelOf("connections");
	const list = element.querySelector(".bars");
	const bars = new Map();

	return (answer) => {
		const states = Object.entries(answer.connections?.output ?? {});
		const highest = Math.max(1, ...states.map(([, count]) => count));

		if (states.length === 0)
			return;
		element.hidden = false;
		set("open", plain(answer.connections.open));
		for (const [state, count] of states) {
			if (!bars.has(state)) {
				bars.set(state, makeBar(state));
				list.append(bars.get(state).item);
			}
			bars.get(state).bar.setAttribute("width", 100 * (count / highest));
			bars.get(state).count.textContent = plain(count);
			bars.get(state).item.classList.toggle("none", count === 0);
		}
	};
}

/* Latency: for each endpoint, on a common logarithmic scale, a bar from half of the requests to
 * nearly all of them. */

const QUANTILES = [["p50", "p50"], ["p90", "p90"], ["p99", "p99"], ["p99_9", "p99.9"]];
const LATENCY_ROWS = 6;

function latencyScale(endpoints) {
	const times = endpoints.flatMap(({ latency_us: latency }) =>
		QUANTILES.map(([key]) => latency[key])).filter((time) => time > 0);
	const from = Math.floor(Math.log10(Math.min(...times)));
	const to = Math.max(from + 1, Math.ceil(Math.log10(Math.max(...times))));

	return (time) => 100 * Math.max(0, (Math.log10(Math.max(time, 1e-3)) - from) / (to - from));
}

function latencyBar(latency, place) {
	const drawing = makeElement("svg:svg", { viewBox: "0 0 100 6", preserveAspectRatio: "none",
		"aria-hidden": "true" });

	QUANTILES.slice(1).forEach(([key], index) => {
		const from = place(latency[QUANTILES[index][0]]);
		const width = Math.max(0, place(latency[key]) - from);

		drawing.append(makeElement("svg:rect", { class: `reach-${index}`, x: from, width,
			height: 6 }));
	});
	drawing.append(makeElement("svg:rect", { class: "half", x: Math.min(99.2, place(latency.p50)),
		width: 0.8, height: 6 }));
	return drawing;
}

function latencyRows({ name, latency_us: latency }, place) {
	const row = makeElement("tr");
	const under = makeElement("tr", { class: "bar" });
	const cell = makeElement("td", { colspan: 1 + QUANTILES.length });

	row.append(makeElement("th", { scope: "row" }, name));
	for (const [key] of QUANTILES)
		row.append(makeElement("td", { "data-latency": `${name} ${key}` },
			microseconds(latency[key])));
	cell.append(latencyBar(latency, place));
	under.append(cell);
	return [row, under];
}

function latencyPanel() {
	const { element } = panelOf("latency");
	const body = element.querySelector("tbody");

	element.querySelector("thead tr").append(
		...QUANTILES.map(([, text]) => makeElement("th", { scope: "col" }, text)));
	return (answer) => {
		const endpoints = (answer.endpoints ?? [])
			.filter(({ requests, latency_us: latency }) => requests > 0 &&
				QUANTILES.every(([key]) => Number.isFinite(latency?.[key])))
			.sort((a, b) => b.requests - a.requests)
			.slice(0, LATENCY_ROWS)
			.sort((a, b) => a.name.localeCompare(b.name));
		const place = latencyScale(endpoints);

		element.hidden = endpoints.length === 0;
		body.replaceChildren(...endpoints.flatMap((endpoint) => latencyRows(endpoint, place)));
	};
}

/* Name and words of everything the answer has; undefined and NaN are left out. */
const FACTS = [
	["backend", (answer) => answer.backend],
	["version", (answer) => answer.version],
	["up for", (answer) => answer.uptime_seconds, duration],
	["workers", (answer) => answer.workers, whole],
	["restarts", (answer) => answer.restarts, whole],
	["requests", (answer) => answer.counters?.requests, whole],
	["answered 2xx", (answer) => answer.counters?.responses_2xx, whole],
	["3xx", (answer) => answer.counters?.responses_3xx, whole],
	["4xx", (answer) => answer.counters?.responses_4xx, whole],
	["5xx", (answer) => answer.counters?.responses_5xx, whole],
	["by zero copy", (answer) =>
		answer.counters?.spliced_bytes + answer.counters?.sendfile_bytes, bytes],
	["sent in all", (answer) => answer.counters?.bytes_sent, bytes],
];

function factsPanel() {
	const { element } = panelOf("facts");
	const list = element.querySelector(".facts");

	return (answer) => {
		const items = FACTS.map(([name, valueOf, format]) => [name, valueOf(answer), format])
			.filter(([, value]) => typeof value === "string" || Number.isFinite(value))
			.map(([name, value, format]) => {
				const item = makeElement("div");

				item.append(makeElement("dt", {}, name),
					makeElement("dd", { "data-fact": name }, format ? format(value) : value));
				return item;
			});

		list.replaceChildren(...items);
		element.hidden = items.length === 0;
	};
}

const panels = [
	singlePanel("requests", { title: "requests per second", format: plain, topMin: 10 },
		(answer, earlier, seconds) => rateOf(earlier, answer, seconds, "requests")),
	connectionsPanel(),
	seriesPanel("bytes", ["sent", "received"],
		{ title: "bytes per second", format: bytes, topMin: 1024, round: roundBinarily },
		(answer, earlier, seconds) => ["bytes_sent", "bytes_received"]
			.map((key) => rateOf(earlier, answer, seconds, key))),
	singlePanel("completions", { title: "completions per enter", format: ratio, topMin: 2 },
		(answer, earlier) => differenceOf(earlier, answer, "completions") /
			differenceOf(earlier, answer, "enters")),
	latencyPanel(),
	factsPanel(),
];

/* The condition of things, in one sentence */

const condition = document.getElementById("condition");
const conditionText = document.getElementById("condition-text");
const dashboard = document.getElementById("dashboard");

function say(name, detail) {
	const sentence = SENTENCES[name](detail);

	condition.dataset.condition = name;
	dashboard.dataset.condition = name;
	if (conditionText.textContent !== sentence)
		conditionText.textContent = sentence;
}

/* Asking */

let earlier = null;
let earlierAt = 0;
let goneSince = null;
let timer = 0;
let isPaused = false;

function show(answer) {
	const now = performance.now();

	if (earlier && wasRestarted(earlier, answer))
		earlier = null;
	for (const panel of panels)
		panel(answer, earlier, (now - earlierAt) / 1000, now);
	earlier = answer;
	earlierAt = now;
}

async function ask() {
	const response = await fetch(SOURCE, {
		cache: "no-store",
		headers: { Accept: "application/json" },
		signal: AbortSignal.timeout(PATIENCE_MS),
	});

	if (!response.ok) {
		await response.text();
		return { refusal: `${response.status} ${response.statusText}` };
	}
	return { numbers: await response.json() };
}

async function turn() {
	try {
		const { numbers, refusal } = await ask();

		goneSince = null;
		if (isPaused)
			return;
		if (refusal) {
			say("refused", refusal);
		} else {
			show(numbers);
			say("live");
		}
	} catch {
		goneSince ??= new Date().toLocaleTimeString();
		say("gone", goneSince);
	}
}

/* The next question waits for the answer to this one, so that a slow server is not asked faster
 * than it answers; nobody asks for a page that nobody sees. */
async function run() {
	const start = performance.now();

	await turn();
	if (!isPaused && !document.hidden)
		timer = setTimeout(run, Math.max(100, INTERVAL_MS - (performance.now() - start)));
}

function runAnew() {
	clearTimeout(timer);
	if (!isPaused && !document.hidden)
		run();
}

const pause = document.getElementById("pause");

pause.addEventListener("click", () => {
	isPaused = !isPaused;
	pause.setAttribute("aria-pressed", String(isPaused));
	earlier = null;
	say(isPaused ? "paused" : "waiting");
	runAnew();
});
document.addEventListener("visibilitychange", runAnew);
pause.hidden = false;
say("waiting");
runAnew();
