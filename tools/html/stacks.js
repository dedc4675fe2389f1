"use strict";
/* Stacks with the source at each frame. A frame of the data is [function, path, line, column, module, offset, inlined,
 * inferred, file, a person would name it]. */
const FRAME = { function: 0, path: 1, line: 2, column: 3, module: 4, offset: 5, inlined: 6, inferred: 7, file: 8, named: 9 };

function frameWords(frame) {
	const module = frame[FRAME.module] ? frame[FRAME.module].split("/").pop() : null;
	const where = frame[FRAME.path]
		? `${frame[FRAME.path]}${frame[FRAME.line] ? ":" + frame[FRAME.line] : ""}${frame[FRAME.column] ? ":" + frame[FRAME.column] : ""}`
		: `${module || ""}${module ? "+" : ""}${frame[FRAME.offset]}`;
	const apart = (frame[FRAME.inlined] ? " [inlined]" : "") + (frame[FRAME.inferred] ? " [inferred]" : "");
	return [el("b", null, frame[FRAME.function] || "?"), el("span", { class: "soft" }, " ", where, apart)];
}

/* A tab is seen as it is meant: visible() would spell it. */
function withTabs(line) {
	return line.split("\t").flatMap((part, i) => (i ? [document.createTextNode("\t"), part] : [part]));
}

/* The lines around a frame's, or null. */
function excerpt(frame) {
	const file = DATA.files[frame[FRAME.file]];
	if (!file || !file.lines[frame[FRAME.line]])
		return null;
	const rows = [];
	for (let line = frame[FRAME.line] - 5; line <= frame[FRAME.line] + 5; line++)
		if (line in file.lines)
			rows.push(el("span", line === frame[FRAME.line] ? { class: "at", "aria-label": "this line" } : null,
				el("i", null, String(line).padStart(4)),
				withTabs(file.lines[line])));
	return [
		file.newer ? el("p", { class: "warning" }, "This file was changed after the run: lines can have moved.") : null,
		el("pre", { class: "source mono", tabindex: 0, "aria-label": `${frame[FRAME.path]} line ${frame[FRAME.line]}` }, rows),
	];
}

function frameItem(frame, number, open) {
	const label = [el("span", { class: "number" }, "#" + number), ...frameWords(frame)];
	if (!excerpt(frame))
		return el("li", null, el("div", { class: "plain-frame mono" }, label));
	const place = el("div");
	const button = el("button", { class: "frame mono", type: "button", "aria-expanded": String(open), click: () => show(place.childNodes.length === 0) }, label);
	function show(wanted) {
		place.replaceChildren(...(wanted ? excerpt(frame).filter(Boolean) : []));
		button.setAttribute("aria-expanded", String(wanted));
	}
	show(open);
	return el("li", null, button, place);
}

/* `number` of a stack in the data, or null. The source of the first frame that a person would name is open. */
function stackList(number) {
	if (number === null || number === undefined)
		return el("p", { class: "soft" }, "no stack");
	const frames = DATA.stacks[number].map((index) => (index === null ? null : DATA.frames[index]));
	let first = frames.findIndex((frame) => frame && frame[FRAME.named] && excerpt(frame));
	if (first < 0)
		first = frames.findIndex((frame) => frame && excerpt(frame));
	return el("ol", { class: "stack" }, frames.map((frame, i) =>
		frame ? frameItem(frame, i, i === first) : el("li", { class: "soft" }, "… there were more")));
}

/* "src/bank.c:31 in transfer" of a stack's first frame that a person would name. */
function stackPlace(number) {
	if (number === null || number === undefined)
		return "unknown code";
	const frames = DATA.stacks[number].filter((index) => index !== null).map((index) => DATA.frames[index]);
	const frame = frames.find((candidate) => candidate[FRAME.named]) || frames[0];
	if (!frame)
		return "unknown code";
	const module = frame[FRAME.module] ? frame[FRAME.module].split("/").pop() : "?";
	const where = frame[FRAME.path] && frame[FRAME.line] ? `${frame[FRAME.path]}:${frame[FRAME.line]}` : `${module}+${frame[FRAME.offset]}`;
	return frame[FRAME.function] ? `${where} in ${frame[FRAME.function]}` : where;
}
