"use strict";
/* Elements and text. All text of the report passes through visible() into text nodes and attributes: nothing of it is
 * ever parsed as markup. */

/* Controls, direction overrides, what has no glyph, halves of surrogates. */
const UNSEEN = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}\ufffe\uffff]/gu;

function visible(text) {
	return String(text).replace(UNSEEN, (c) => {
		const code = c.codePointAt(0);
		return code < 0x100 ? "\\x" + code.toString(16).toUpperCase().padStart(2, "0") : "\\u{" + code.toString(16).toUpperCase() + "}";
	});
}

function fill(node, attributes, children) {
	for (const [name, value] of Object.entries(attributes || {})) {
		if (value === null || value === undefined || value === false)
			continue;
		if (typeof value === "function")
			node.addEventListener(name, value);
		else
			node.setAttribute(name, value === true ? "" : visible(value));
	}
	for (const child of children.flat(Infinity))
		if (child !== null && child !== undefined && child !== false)
			node.append(child instanceof Node ? child : visible(child));
	return node;
}

function el(tag, attributes, ...children) {
	return fill(document.createElement(tag), attributes, children);
}

function svg(tag, attributes, ...children) {
	return fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

/* A sentence of ours, with names between backquotes: those become code. An odd backquote is a name's own. */
function sentence(text) {
	const parts = (text || "").split("`");
	const last = parts.length % 2 === 0 ? parts.pop() : null;
	const nodes = parts.map((part, i) => (i % 2 ? el("code", null, part) : part));
	return last === null ? nodes : [...nodes, "`" + last];
}

function plural(count, what, many) {
	return `${count.toLocaleString("en")} ${count === 1 ? what : many || what + "s"}`;
}

/* At most `most` characters, cut in the middle: names that are alike differ at their ends. */
function short(text, most) {
	const letters = Array.from(visible(text));
	const tail = Math.floor(most / 2);
	return letters.length <= most ? letters.join("") : letters.slice(0, most - 1 - tail).join("") + "…" + letters.slice(-tail).join("");
}
