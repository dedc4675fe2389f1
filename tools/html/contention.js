"use strict";
/* The part "Contention": how each lock was waited for and held. */

/* "1.25 ms"; what can't be told is a dash. */
function duration(ns) {
	if (!(ns > 0))
		return "–";
	const [size, unit] = [[1e9, "s"], [1e6, "ms"], [1e3, "µs"], [1, "ns"]].find(([least]) => ns >= least) || [1, "ns"];
	const value = ns / size;
	return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${unit}`;
}

function contentionPart() {
	const calls = (row) => Math.max(row.acquisitions, row.contended);
	const share = (row) => (calls(row) ? (100 * row.contended) / calls(row) : 0);
	const mean = (total, count) => (count ? total / count : 0);
	const time = (name, key) => ({ name, number: true, key, cell: (row) => duration(key(row)) });
	const number = (name, key) => ({ name, number: true, key, cell: (row) => key(row).toLocaleString("en") });
	const place = (name, key) => ({ name, key: (row) => visible(row[key] || ""), cell: (row) => el("span", { class: "mono" }, row[key] || "") });
	const columns = [
		{ name: "Lock", key: (row) => visible(row.name), cell: (row) => [el("code", null, row.name), ` ${row.kind}`] },
		{ name: "Process", key: (row) => DATA.processes[row.process].pid, cell: (row) => `${DATA.processes[row.process].program} (${DATA.processes[row.process].pid})` },
		number("Acquired ≈", (row) => row.acquisitions),
		{ name: "Contended", number: true, key: share, cell: (row) => (row.contended && share(row) < 0.1 ? "< 0.1 %" : `${share(row).toFixed(1)} %`) },
		time("Waited", (row) => row.wait_total_ns), time("mean wait", (row) => mean(row.wait_total_ns, row.contended)), time("longest wait", (row) => row.wait_max_ns),
		time("Held ≈", (row) => row.hold_total_ns), time("mean hold", (row) => mean(row.hold_total_ns, row.acquisitions)), time("longest hold", (row) => row.hold_max_ns),
		place("Waits longest at", "wait_site"), place("Holds longest at", "hold_site"),
	];
	return el("div", { class: "padded" }, el("p", null, "Waits are all counted; acquisitions and holds (≈) are estimated from samples."),
		sortedTable("How locks were waited for and held", columns, DATA.contention, 4, true));
}
