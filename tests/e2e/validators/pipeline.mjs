// A pipeline (as JSON) against GitLab's schema, as gitlab-ci-local carries it: what is wrong, a line each.
import Ajv from "ajv";
import { readFileSync } from "fs";
import { schema } from "gitlab-ci-local/src/schema/schema.js";

const ajv = new Ajv.default({ verbose: true, allErrors: true, allowUnionTypes: true, strict: false, validateFormats: false });
const validate = ajv.compile(schema);
if (!validate(JSON.parse(readFileSync(0, "utf8")))) for (const error of validate.errors) console.log(`${error.instancePath}: ${error.message}`);
