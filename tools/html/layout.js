"use strict";
/* Where the locks of a graph are drawn. {width, height, at: Map lock -> {x, y, w, h}, lines: Map edge -> {d, head, points}}: x and
 * y are the middle of a box, points are for finding an edge under the pointer. */
const LABEL_MAX = 32, BOX_HEIGHT = 26;

function labelOf(graph, lock) {
	return short(graph.locks[lock][0], LABEL_MAX);
}

function boxWidth(graph, lock) {
	return 6.7 * Array.from(labelOf(graph, lock)).length + 16;
}

const round = (value) => Math.round(value * 10) / 10;

/* A curve of the cubic pieces that `points` has, ending 9 short of what it points at. */
function curve(points) {
	let d = `M${round(points[0].x)} ${round(points[0].y)}C`;
	for (let i = 1; i < points.length; i++)
		d += `${i > 1 ? " " : ""}${round(points[i].x)} ${round(points[i].y)}`;
	const last = points[points.length - 1];
	let before = points[points.length - 2];
	if (Math.hypot(last.x - before.x, last.y - before.y) < 0.5)
		before = points[Math.max(0, points.length - 3)];
	return { d, head: arrowHead(before, last), points };
}

/* Graphviz's "plain" format: inches, y upwards. Null when a lock is missing from it. */
function plainLayout(graph, text, locks, edges) {
	const edgeOf = new Map(edges.map((edge) => [graph.edges[edge][0] + " " + graph.edges[edge][1], edge]));
	const layout = { width: 0, height: 0, at: new Map(), lines: new Map() };
	for (const line of text.replace(/\\\n/g, "").split("\n")) {
		const words = line.split(" "), inch = (i) => 72 * Number(words[i]);
		if (words[0] === "graph") {
			layout.width = inch(2);
			layout.height = inch(3);
		} else if (words[0] === "node") {
			const lock = Number(words[1].slice(1));
			layout.at.set(lock, { x: inch(2), y: layout.height - inch(3), w: inch(4), h: inch(5) });
		} else if (words[0] === "edge") {
			const edge = edgeOf.get(words[1].slice(1) + " " + words[2].slice(1)), points = [];
			for (let i = 0; i < Number(words[3]); i++)
				points.push({ x: inch(4 + 2 * i), y: layout.height - inch(5 + 2 * i) });
			if (edge !== undefined)
				layout.lines.set(edge, curve(points));
		}
	}
	return locks.every((lock) => layout.at.has(lock)) ? inRows(graph, layout, locks, edges) : null;
}

/* Which locks and edges hang together: [{locks, edges}], in the order of their first locks. */
function piecesOf(graph, locks, edges) {
	const pieceOf = new Map(), around = new Map(locks.map((lock) => [lock, []])), pieces = [];
	for (const edge of edges) {
		around.get(graph.edges[edge][0]).push(graph.edges[edge][1]);
		around.get(graph.edges[edge][1]).push(graph.edges[edge][0]);
	}
	for (const root of locks) {
		const open = pieceOf.has(root) ? [] : [root];
		if (open.length) {
			pieceOf.set(root, pieces.length);
			pieces.push({ locks: [], edges: [] });
		}
		while (open.length) {
			const lock = open.pop(), piece = pieceOf.get(lock);
			pieces[piece].locks.push(lock);
			for (const other of around.get(lock))
				if (!pieceOf.has(other)) {
					pieceOf.set(other, piece);
					open.push(other);
				}
		}
	}
	for (const edge of edges)
		pieces[pieceOf.get(graph.edges[edge][0])].edges.push(edge);
	return pieces;
}

/* Pieces that stand side by side in one long row are put in several rows, so that names can be read. */
function inRows(graph, layout, locks, edges) {
	const pieces = piecesOf(graph, locks, edges).map((piece) => {
		const boxes = piece.locks.map((lock) => layout.at.get(lock)), points = piece.edges.flatMap((edge) => (layout.lines.get(edge) || { points: [] }).points);
		const edge = (pick, far) => [...boxes, ...points].reduce((most, p) => pick(most, far(p)), far(boxes[0]));
		const left = edge(Math.min, (p) => p.x - (p.w || 0) / 2), right = edge(Math.max, (p) => p.x + (p.w || 0) / 2);
		const top = edge(Math.min, (p) => p.y - (p.h || 0) / 2), bottom = edge(Math.max, (p) => p.y + (p.h || 0) / 2);
		return { ...piece, left, top, width: right - left + 30, height: bottom - top + 36 };
	}).sort((a, b) => b.height - a.height || a.left - b.left);
	const area = pieces.reduce((sum, piece) => sum + piece.width * piece.height, 0);
	const widest = Math.max(Math.sqrt(area * 1.8), ...pieces.map((piece) => piece.width));
	const packed = { width: 0, height: 0, at: new Map(), lines: new Map() };
	let x = 0, y = 0, high = 0;
	for (const piece of pieces) {
		if (x && x + piece.width > widest) {
			y += high;
			x = high = 0;
		}
		movePiece(packed, layout, piece, x + 15 - piece.left, y + 18 - piece.top);
		x += piece.width;
		high = Math.max(high, piece.height);
		packed.width = Math.max(packed.width, x);
	}
	packed.height = y + high;
	return packed;
}

function movePiece(packed, layout, piece, dx, dy) {
	for (const lock of piece.locks) {
		const at = layout.at.get(lock);
		packed.at.set(lock, { ...at, x: at.x + dx, y: at.y + dy });
	}
	for (const edge of piece.edges)
		if (layout.lines.has(edge))
			packed.lines.set(edge, curve(layout.lines.get(edge).points.map((p) => ({ x: p.x + dx, y: p.y + dy }))));
}

/* Without Graphviz: layers by the longest path (edges that close a cycle turned round), each ordered by the middle of its
 * neighbours, as Sugiyama, Tagawa and Toda do it (1981), with few sweeps. A layer that would be very wide goes on in another
 * row. Edges over several layers get a bend in each of them, so that they pass between the boxes; where that were very many bends
 * they run straight. */
const BENDS_MAX = 3000, BEND_WIDTH = 14, ROW_HEIGHT = 78;

function layeredLayout(graph, locks, edges) {
	const all = { width: 0, height: 0, at: new Map(), lines: new Map() };
	for (const piece of piecesOf(graph, locks, edges))
		movePiece(all, layersLayout(graph, piece.locks, piece.edges), piece, 0, 0);
	return inRows(graph, all, locks, edges);
}

/* Items of a layer are locks, by their numbers, and bends, which have negative ones. */
function layersLayout(graph, locks, edges) {
	const depth = depthsOf(graph, locks, edges), layers = [], bends = bendsOf(graph, edges, depth);
	for (const lock of locks)
		(layers[depth.get(lock)] = layers[depth.get(lock)] || []).push(lock);
	for (const way of bends.values())
		for (const bend of way)
			layers[bend.layer].push(bend.item);
	const below = new Map(layers.flat().map((item) => [item, []])), above = new Map(layers.flat().map((item) => [item, []]));
	for (const edge of edges) {
		const [from, to] = graph.edges[edge], items = [from, ...(bends.get(edge) || []).map((bend) => bend.item), to];
		if (depth.get(from) > depth.get(to))
			items.reverse();
		for (let i = 1; i < items.length; i++) {
			below.get(items[i - 1]).push(items[i]);
			above.get(items[i]).push(items[i - 1]);
		}
	}
	const place = new Map();
	layers.forEach((layer) => layer.forEach((item, i) => place.set(item, i)));
	for (let sweep = 0; sweep < 8; sweep++)
		for (const layer of sweep % 2 ? layers.slice().reverse() : layers)
			orderLayer(layer, sweep % 2 ? below : above, place);
	return placeRows(graph, rowsOf(graph, layers), edges, bends);
}

/* Of each edge over several layers its bends, in its direction: Map edge -> [{item, layer}]. Empty when there are too many. */
function bendsOf(graph, edges, depth) {
	const bends = new Map();
	let item = 0;
	for (const edge of edges) {
		const from = depth.get(graph.edges[edge][0]), to = depth.get(graph.edges[edge][1]), step = to > from ? 1 : -1, way = [];
		for (let layer = from + step; from !== to && layer !== to; layer += step)
			way.push({ item: --item, layer });
		if (way.length)
			bends.set(edge, way);
		if (-item > BENDS_MAX)
			return new Map();
	}
	return bends;
}

/* An edge of a depth-first search that leads back to a lock still on its path is left out. */
function depthsOf(graph, locks, edges) {
	const next = new Map(locks.map((lock) => [lock, []])), state = new Map(), depth = new Map(), order = [], back = new Set();
	for (const edge of edges)
		next.get(graph.edges[edge][0]).push(graph.edges[edge][1]);
	for (const root of locks) {
		const path = state.has(root) ? [] : [{ lock: root, at: 0 }];
		if (path.length)
			state.set(root, "open");
		while (path.length) {
			const top = path[path.length - 1], targets = next.get(top.lock);
			if (top.at === targets.length) {
				state.set(top.lock, "done");
				order.push(top.lock);
				path.pop();
				continue;
			}
			const target = targets[top.at++];
			if (state.get(target) === "open")
				back.add(top.lock + " " + target);
			else if (!state.has(target)) {
				state.set(target, "open");
				path.push({ lock: target, at: 0 });
			}
		}
	}
	for (const lock of order.reverse()) {
		depth.set(lock, depth.get(lock) || 0);
		for (const target of next.get(lock))
			if (!back.has(lock + " " + target))
				depth.set(target, Math.max(depth.get(target) || 0, depth.get(lock) + 1));
	}
	return depth;
}

function orderLayer(layer, neighbours, place) {
	const middle = new Map(layer.map((lock) => {
		const around = neighbours.get(lock);
		return [lock, around.length ? around.reduce((sum, other) => sum + place.get(other), 0) / around.length : place.get(lock)];
	}));
	layer.sort((a, b) => middle.get(a) - middle.get(b));
	layer.forEach((lock, i) => place.set(lock, i));
}

const itemWidth = (graph, item) => (item < 0 ? BEND_WIDTH : boxWidth(graph, item) + 24);

function rowsOf(graph, layers) {
	const total = layers.flat().reduce((sum, item) => sum + itemWidth(graph, item), 0);
	const widest = Math.max(2000, Math.sqrt(total * 90) * 1.6), rows = [];
	for (const layer of layers) {
		let row = [], width = 0;
		for (const item of layer) {
			if (row.length && width + itemWidth(graph, item) > widest) {
				rows.push(row);
				row = [];
				width = 0;
			}
			row.push(item);
			width += itemWidth(graph, item);
		}
		rows.push(row);
	}
	return rows;
}

function placeRows(graph, rows, edges, bends) {
	const layout = { width: 0, height: rows.length * ROW_HEIGHT, at: new Map(), lines: new Map() }, bendAt = new Map();
	const widths = rows.map((row) => row.reduce((sum, item) => sum + itemWidth(graph, item), 0));
	layout.width = widths.reduce((most, width) => Math.max(most, width), 1);
	rows.forEach((row, i) => {
		let x = (layout.width - widths[i]) / 2;
		for (const item of row) {
			const width = itemWidth(graph, item), at = { x: x + width / 2, y: (i + 0.5) * ROW_HEIGHT };
			if (item < 0)
				bendAt.set(item, at);
			else
				layout.at.set(item, { ...at, w: width - 24, h: BOX_HEIGHT });
			x += width;
		}
	});
	for (const edge of edges)
		layout.lines.set(edge, wayThrough(layout.at.get(graph.edges[edge][0]), layout.at.get(graph.edges[edge][1]), (bends.get(edge) || []).map((bend) => bendAt.get(bend.item))));
	return layout;
}

/* From the border of one box, through the bends, to 9 short of the other. */
function wayThrough(from, to, bends) {
	const down = to.y > from.y, level = to.y === from.y, shift = down ? -4 : 4;
	const begin = { x: from.x + shift, y: from.y + (down ? 13 : -13) };
	const end = { x: to.x + shift, y: to.y + (down || level ? -22 : 22) };
	if (level)
		return curve([begin, { x: begin.x, y: begin.y - 40 }, { x: end.x, y: end.y - 20 }, end]);
	/* Straight past the boxes of a row, and over to the side between rows. */
	const side = down ? 1 : -1, points = [begin];
	for (const next of [...bends.flatMap((bend) => [{ x: bend.x, y: bend.y - 16 * side }, { x: bend.x, y: bend.y + 16 * side }]), end]) {
		const last = points[points.length - 1], middle = (last.y + next.y) / 2;
		points.push({ x: last.x, y: middle }, { x: next.x, y: middle }, next);
	}
	return curve(points);
}
