/* merged_order.h: must-happen-before between roles, out of what many runs say of single acquisitions, as a
 * graph of segments without circles.
 *
 * Memory: its own. Threads: one. Failure: only the lack of memory, which ends the command. */
#ifndef TOOLS_MERGED_ORDER_H
#define TOOLS_MERGED_ORDER_H

#include <stdint.h>

struct merged_order;

struct merged_order *merged_order_open(uint32_t role_count);
void merged_order_close(struct merged_order *order);

/* A phase, from 0; and how it lies to a role: 'b'efore, 'a'fter, 'd'uring. */
uint32_t merged_order_add_phase(struct merged_order *order);
void merged_order_set(struct merged_order *order, uint32_t phase, uint32_t role, char relation);

/* What is known of one acquisition in all runs: begin, join all its sightings, then complete each: the phase
 * that also has what the others of the role say, without contradiction, of roles that are not in its own run.
 */
void merged_order_begin_group(struct merged_order *order);
void merged_order_join(struct merged_order *order, uint32_t role, uint32_t phase);
uint32_t merged_order_complete(struct merged_order *order, uint32_t role, uint32_t phase);

/* The segment, from 0, of a thread of a role in a phase. */
uint32_t merged_order_segment(struct merged_order *order, uint32_t thread, uint32_t role, uint32_t phase);

/* Number the segments such that what happens before has the smaller number, and tell each with one
 * predecessor (0: none; one with several is told several times). Orders that contradict each other are left
 * out. */
void merged_order_lay_out(struct merged_order *order,
                          void (*tell)(void *context, uint32_t id, uint32_t thread, uint32_t pred),
                          void *context);
/* After that: a segment's number. */
uint32_t merged_order_number(const struct merged_order *order, uint32_t segment);

#endif
