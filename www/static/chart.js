/* Small charts of the last minute, as SVG: one line for each series, by time, the newest at the
 * right.
 *
 * A sample is {at, values}: the time in milliseconds and one number for each series, or null where
 * there is none.  Where a number is missing, or nothing came for a while, the line has a gap: a
 * chart never invents what was not counted. */

const SVG = "http://www.w3.org/2000/svg";
const WIDTH = 300;
const HEIGHT = 90;
const WINDOW_MS = 60000;
const GAP_MS = 5000;

export function makeElement(name, attributes = {}, text = "") {
	const element = name.startsWith("svg:")
		? document.createElementNS(SVG, name.slice(4))
		: document.createElement(name);

	for (const [key, value] of Object.entries(attributes))
		element.setAttribute(key, value);
	element.textContent = text;
	return element;
}

/* The next of 1, 2, 5, 10, 20, 50 ... that is not below the value. */
export function roundDecimally(value) {
	const power = 10 ** Math.floor(Math.log10(value));

	return [1, 2, 5, 10].map((step) => step * power).find((bound) => bound >= value * 0.999);
}

/* The next power of two, for bytes. */
export function roundBinarily(value) {
	return 2 ** Math.ceil(Math.log2(value));
}

/* Runs of samples that belong together, as lists of [x, y]. */
function runsOf(samples, index, now, top) {
	const runs = [];
	let before = -Infinity;

	for (const { at, values } of samples) {
		const value = values[index];

		if (!Number.isFinite(value))
			continue;
		if (at - before > GAP_MS)
			runs.push([]);
		runs.at(-1).push([
			WIDTH * (1 - (now - at) / WINDOW_MS),
			HEIGHT - 1 - (HEIGHT - 4) * (value / top),
		]);
		before = at;
	}
	return runs;
}

function lineThrough(points) {
	return "M" + points.map(([x, y]) => `${x.toFixed(1)} ${y.toFixed(1)}`).join("L");
}

function areaBelow(points) {
	const [first, last] = [points[0][0], points.at(-1)[0]];

	return `${lineThrough(points)}L${last.toFixed(1)} ${HEIGHT}L${first.toFixed(1)} ${HEIGHT}Z`;
}

export class Chart {
	/* `format` makes the words for a number; the scale ends at `round` of the highest, and never
	 * below `topMin`. */
	constructor(place, { title, seriesCount, format, topMin, round = roundDecimally }) {
		this.title = title;
		this.format = format;
		this.round = round;
		this.topMin = topMin;
		this.samples = [];
		this.drawing = makeElement("svg:svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
			preserveAspectRatio: "none", role: "img", "aria-label": title });
		for (const part of [0.25, 0.5, 0.75])
			this.drawing.append(makeElement("svg:line", { class: "grid", x1: 0, x2: WIDTH,
				y1: HEIGHT * part, y2: HEIGHT * part }));
		this.paths = Array.from({ length: seriesCount }, (_, index) => ({
			area: makeElement("svg:path", { class: `area series-${index}` }),
			line: makeElement("svg:path", { class: `line series-${index}` }),
		}));
		this.drawing.append(...this.paths.map((path) => path.area),
			...this.paths.map((path) => path.line));
		this.scale = makeElement("span", { class: "scale", "aria-hidden": "true" });
		place.replaceChildren(this.drawing, this.scale);
	}

	add(at, values) {
		this.samples.push({ at, values });
	}

	draw(now) {
		this.samples = this.samples.filter(({ at }) => now - at <= WINDOW_MS + GAP_MS);
		const numbers = this.samples.flatMap(({ values }) => values).filter(Number.isFinite);
		const highest = Math.max(0, ...numbers);
		const top = this.round(Math.max(highest, this.topMin));

		this.paths.forEach(({ area, line }, index) => {
			const runs = runsOf(this.samples, index, now, top);

			area.setAttribute("d", runs.map(areaBelow).join(""));
			line.setAttribute("d", runs.map(lineThrough).join(""));
		});
		this.scale.textContent = this.format(top);
		this.drawing.setAttribute("aria-label",
			`${this.title}, the last minute: ${this.format(highest)} at the highest`);
	}
}
