/* Asks /ping twenty times, one after the other on the same connection, and shows how long it took.
 * Without this script the page loses a button and nothing else. */
(() => {
	"use strict";

	const COUNT = 20;
	const panel = document.querySelector(".ping");
	const button = panel.querySelector("button");
	const output = panel.querySelector("output");

	async function askOnce() {
		const start = performance.now();
		const response = await fetch("/ping", { cache: "no-store" });
		const body = await response.text();

		if (body !== "pong")
			throw new Error(`the answer was ${response.status}`);
		return performance.now() - start;
	}

	async function askOften() {
		const times = [];

		for (let i = 0; i < COUNT; i++)
			times.push(await askOnce());
		times.sort((a, b) => a - b);
		return `${COUNT} answers, half of them within ${times[COUNT / 2].toFixed(1)} ms`;
	}

	button.addEventListener("click", async () => {
		button.disabled = true;
		output.textContent = "asking …";
		try {
			output.textContent = await askOften();
		} catch (error) {
			output.textContent = `no pong: ${error.message}`;
		}
		button.disabled = false;
	});
	panel.hidden = false;
})();
