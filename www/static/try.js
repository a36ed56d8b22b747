/* The endpoints to try: a button's value names what it asks, and what came back is shown below it,
 * with its status and how long it took.
 *
 * An endpoint that the configuration does not have is no mistake of the reader: the page says so
 * instead of showing an error. */

import { makeElement } from "./chart.js";

const OFTEN_MS = 3000;
const OFTEN_CLIENTS = 4;

/* What the server answers where nothing else is configured: the files, which have no such name and
 * take nothing but GET and HEAD. */
const NO_FILE = "404 Not Found\n";
const WRONG_METHOD = 405;

async function ask(method, target, body) {
	const start = performance.now();
	const response = await fetch(target, { method, body, cache: "no-store" });
	const text = await response.text();

	return {
		target,
		status: response.status,
		reason: response.statusText,
		text,
		milliseconds: performance.now() - start,
	};
}

function isConfigured({ status, text }) {
	return status !== WRONG_METHOD && !(status === 404 && text === NO_FILE);
}

/* The sentences */

function aboutPing({ text }) {
	return text === "pong" ? "Four bytes, as promised." : "That is no pong.";
}

function aboutWriting({ status }) {
	return {
		201: "Kept; there was nothing before. It will survive a power cut.",
		204: "Kept, in place of what was there.",
		413: "Too long; what was there is untouched.",
	}[status] ?? "Not kept.";
}

function aboutReading({ status, text }) {
	const length = new TextEncoder().encode(text).length;

	return status === 200 ? `What was kept, ${length} bytes.` : "";
}

function aboutPalindrome({ status, text }) {
	if (status !== 200)
		return "";
	const { palindrome, length } = JSON.parse(text);

	return `${palindrome ? "Yes" : "No"}; ${length} characters long.`;
}

/* Several clients ask for some seconds, each as soon as it has its answer. */
async function pingOften() {
	const end = performance.now() + OFTEN_MS;
	const times = [];

	async function askUntilTheEnd() {
		let answer;

		do {
			answer = await ask("GET", "/ping");
			times.push(answer.milliseconds);
		} while (answer.text === "pong" && performance.now() < end);
		return answer;
	}

	const answers = await Promise.all(Array.from({ length: OFTEN_CLIENTS }, askUntilTheEnd));

	times.sort((a, b) => a - b);
	return {
		...(answers.find(({ text }) => text !== "pong") ?? answers[0]),
		milliseconds: times[Math.floor(times.length / 2)],
		count: times.length,
	};
}

function aboutPingOften({ count, text }) {
	return text === "pong"
		? `${count.toLocaleString("en")} answers; half of them took no longer than that.`
		: "That is no pong.";
}

const trials = {
	"ping": { run: () => ask("GET", "/ping"), about: aboutPing },
	"ping-often": { run: pingOften, about: aboutPingOften },
	"echo": {
		run: (fields) => ask("POST", "/echo", fields.get("text")),
		about: () => "What the server received, your words last:",
	},
	"write": { run: (fields) => ask("PUT", "/write", fields.get("text")), about: aboutWriting },
	"read": { run: () => ask("GET", "/read"), about: aboutReading },
	"forget": {
		run: () => ask("DELETE", "/write"),
		about: ({ status }) => (status === 204 ? "Forgotten." : ""),
	},
	"palindrome": {
		run: (fields) => ask("POST", fields.has("fold") ? "/palindrome?fold=1" : "/palindrome",
			fields.get("text")),
		about: aboutPalindrome,
	},
};

/* Showing */

function showResult(place, chip, kind, sentence, text = "") {
	const line = makeElement("p", { class: "verdict" });

	line.append(makeElement("span", { class: `chip ${kind}` }, chip), ` ${sentence}`);
	place.replaceChildren(line);
	if (text) {
		const body = makeElement("pre", { tabindex: 0, "aria-label": "the body of the answer" }, text);

		place.append(body);
		body.scrollTop = body.scrollHeight; /* of an echo, the reader's own words */
	}
}

function showAnswer(place, answer, about) {
	const status = `${answer.status} ${answer.reason}`.trim();

	if (!isConfigured(answer)) {
		const path = answer.target.split("?")[0];

		showResult(place, "not configured here", "absent",
			`Nothing answers at ${path}: the server said ${status}.`);
		return;
	}
	showResult(place, status, answer.status < 300 ? "fine" : "refused",
		`in ${answer.milliseconds.toFixed(1)} ms. ${about(answer)}`, answer.text);
}

async function submitted(event) {
	const form = event.target;
	const place = form.querySelector(".result");
	const { run, about } = trials[event.submitter.value];
	const buttons = form.querySelectorAll("button");

	event.preventDefault();
	if (form.getAttribute("aria-busy") === "true")
		return;
	form.setAttribute("aria-busy", "true");
	buttons.forEach((button) => button.setAttribute("aria-disabled", "true"));
	place.replaceChildren(makeElement("p", { class: "verdict" }, "Asking …"));
	try {
		showAnswer(place, await run(new FormData(form)), about);
	} catch {
		showResult(place, "no answer", "refused", "The server is gone.");
	}
	buttons.forEach((button) => button.removeAttribute("aria-disabled"));
	form.removeAttribute("aria-busy");
}

for (const form of document.querySelectorAll(".trial"))
	form.addEventListener("submit", submitted);
