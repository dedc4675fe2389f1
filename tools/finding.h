/* finding.h: a finding in the engine's ids into one of strings. */
#ifndef TOOLS_FINDING_H
#define TOOLS_FINDING_H

#include "peers.h"
#include "resolve.h"

/* All but `process`, `known` and `suppressed`. In the resolver's arena. */
struct report_finding finding_resolve(struct resolve *resolve, struct peers *peers, const struct dt_finding *told);
/* Of one whose ids are unique already. */
struct report_finding finding_resolve_translated(struct resolve *resolve, struct peers *peers,
                                                 const struct dt_finding *found);

#endif
