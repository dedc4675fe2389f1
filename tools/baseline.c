/* A report is its own baseline: nothing but "format", "version" and the fingerprints is read, so
 * that reports of later versions with more in them still serve. */
#include "baseline.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "arena.h"

struct baseline {
	json_t *fingerprints; /* an object as a set */
};

struct baseline *baseline_open(void)
{
	struct baseline *baseline = must_realloc(NULL, 1, sizeof(*baseline));

	baseline->fingerprints = json_object();
	return baseline;
}

void baseline_close(struct baseline *baseline)
{
	if (!baseline)
		return;
	json_decref(baseline->fingerprints);
	free(baseline);
}

static char *take_findings(struct baseline *baseline, const char *path, const json_t *root)
{
	const char *format = json_string_value(json_object_get(root, "format"));
	const json_t *version = json_object_get(root, "version"), *finding;
	json_t *findings = json_object_get(root, "findings");
	size_t index;

	if (!format || strcmp(format, "libdetect-findings"))
		return must_printf("%s: not a libdetect JSON report (no \"format\": \"libdetect-findings\")",
		                   path);
	if (json_integer_value(version) != 1)
		return must_printf("%s: a report of format version %lld, but this detect reads version 1",
		                   path, (long long)json_integer_value(version));
	if (!json_is_array(findings))
		return must_printf("%s: a report without \"findings\"", path);
	json_array_foreach(findings, index, finding)
	{
		const char *fingerprint = json_string_value(json_object_get(finding, "fingerprint"));
		if (!fingerprint)
			return must_printf("%s: finding %zu has no fingerprint", path, index + 1);
		json_object_set_new(baseline->fingerprints, fingerprint, json_true());
	}
	return NULL;
}

char *baseline_load(struct baseline *baseline, const char *path)
{
	json_error_t error;
	json_t *root = json_load_file(path, JSON_REJECT_DUPLICATES, &error);

	if (!root && error.line < 0)
		return must_printf("%s: %s", path, error.text);
	if (!root)
		return must_printf("%s:%d: %s", path, error.line, error.text);
	char *why = take_findings(baseline, path, root);
	json_decref(root);
	return why;
}

bool baseline_has(const struct baseline *baseline, const char *fingerprint)
{
	return json_object_get(baseline->fingerprints, fingerprint) != NULL;
}
