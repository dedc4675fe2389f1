/* detect explain: what a finding means and how to mend it; printed from the engine's rule table. */
#include "command.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "model.h"
#include "near.h"
#include "options.h"
#include "say.h"

static const char *nth_rule(size_t index)
{
	return index < DT_RULES ? dt_rules[index].name : NULL;
}

static error_t parse(int key, char *value, struct argp_state *state)
{
	const char **rule = state->input;

	if (key != ARGP_KEY_ARG)
		return ARGP_ERR_UNKNOWN;
	if (*rule)
		say_usage("one RULE at a time; '%s' is one too many", value);
	*rule = value;
	return 0;
}

static void list_rules(void)
{
	for (size_t i = 0; i < DT_RULES; i++)
		printf("%-20s %-8s %s\n", dt_rules[i].name, model_level_name(dt_rules[i].level),
		       dt_rules[i].summary);
}

static void explain(const char *name)
{
	const struct dt_rule *rule = dt_rule_find(name);
	const char *near = rule ? NULL : near_find(name, nth_rule);

	if (near)
		say_usage("no rule '%s'; did you mean '%s'?", name, near);
	if (!rule)
		say_usage("no rule '%s'; 'detect explain' lists them", name);
	printf("%s (%s): %s\n\n%s", rule->name, model_level_name(rule->level), rule->summary, rule->text);
	if (!*rule->text || rule->text[strlen(rule->text) - 1] != '\n')
		putchar('\n');
}

static int run(int argc, char **argv)
{
	static const struct argp argp = {
	    .parser = parse,
	    .args_doc = "[RULE]",
	    .doc = "Say what the findings of a rule mean and how to mend them. Without RULE, list the rules.",
	};
	const char *rule = NULL;

	options_parse(&argp, argc, argv, 0, &rule);
	if (rule)
		explain(rule);
	else
		list_rules();
	if (fflush(stdout)) {
		say("stdout: %s", strerror(errno));
		return STATUS_USAGE;
	}
	return STATUS_OK;
}

const struct command cmd_explain = {
    .name = "explain",
    .summary = "what a finding means and how to mend it",
    .run = run,
};
