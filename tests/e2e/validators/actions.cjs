// Lines of workflow commands, taken apart as the runner does, and put together again by GitHub's own library: the same lines.
const { issueCommand } = require("@actions/core/lib/command");
const { readFileSync } = require("fs");

const unescape = (text, names) => text.replace(/%(25|0D|0A|3A|2C)/g, (all, code) => (names.includes(code) ? String.fromCharCode(parseInt(code, 16)) : all));
for (const line of readFileSync(0, "utf8").split("\n")) {
	const command = line.match(/^::(\w+) ([^:]*)::(.*)$/);
	if (!command) continue;
	const properties = {};
	for (const pair of command[2].split(",")) properties[pair.slice(0, pair.indexOf("="))] = unescape(pair.slice(pair.indexOf("=") + 1), ["25", "0D", "0A", "3A", "2C"]);
	issueCommand(command[1], properties, unescape(command[3], ["25", "0D", "0A"]));
}
