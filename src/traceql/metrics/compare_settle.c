/*
 * compare_settle.c
 *	  Resources and scopes, counted as wholes, taken apart into their attributes.
 */
#include "traceql/metrics/compare.h"

static void
add_tally(Leaf *leaf, const Tally *from, uint32_t attr, const EvalValue *v)
{
	uint32_t number = compare_value(leaf, attr, v);
	uint32_t ncells = leaf->compare->ncells;
	Tally *to = &leaf->compare->attrs[attr].tallies[number];
	uint32_t at = 0;
	uint32_t cell;
	double count;

	while (tally_next(from, ncells, &at, &cell, &count))
		tally_add(leaf->metrics, to, ncells, cell, count);
}

static bool
key_before(Str attributes, const KeyValue *kv, uint64_t position)
{
	ValueIter it;
	KeyValue other;

	if (!value_iter_begin(&it, attributes))
		return false;
	for (uint64_t i = 0; i < position && value_iter_next_kv(&it, &other); i++)
		if (str_eq(other.key, kv->key))
			return true;
	return false;
}

/* Each attribute of the entry; of a key that is there twice, the first. */
static void
take_apart(Leaf *leaf, const Tally *tally, Str attributes, TraceqlScope scope)
{
	bool service = scope != TQL_SCOPE_RESOURCE;
	ValueIter it;
	KeyValue kv;

	if (attributes.len && value_iter_begin(&it, attributes))
	{
		for (uint64_t i = 0; value_iter_next_kv(&it, &kv); i++)
		{
			EvalValue v = eval_from_value(&kv.value);

			service |= str_eq(kv.key, str_lit("service.name"));
			if (!key_before(attributes, &kv, i))
				add_tally(leaf, tally, compare_attr_scoped(leaf, scope, kv.key), &v);
		}
	}
	if (!service)
		add_tally(leaf, tally, compare_attr_scoped(leaf, scope, str_lit("service.name")),
				  &(EvalValue){.type = EVAL_STRING, .s = str_of("", 0)});
}

static void
settle_entries(Leaf *leaf, CompareEntries *entries, TraceqlScope scope)
{
	for (uint32_t i = 1; i < entries->set.values.n; i++)
	{
		run_tick(leaf->run);
		take_apart(leaf, &entries->set.tallies[i], entries->set.values.values[i].s, scope);
	}
	memset(entries, 0, sizeof(*entries));
}

void
compare_settle(Leaf *leaf)
{
	settle_entries(leaf, &leaf->compare->resources, TQL_SCOPE_RESOURCE);
	settle_entries(leaf, &leaf->compare->scopes, TQL_SCOPE_INSTRUMENTATION);
}
