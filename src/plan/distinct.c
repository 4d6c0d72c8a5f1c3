/*
 * distinct.c
 *	  How many distinct values an attribute has. Statistics of core are about whole sets of attributes and
 *	  say nothing of single keys; dictionaries of segments do, and to see their lengths takes a footer.
 */
#include "postgres.h"

#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "plan/plan.h"

/* With fewer rows for each value than this, values are taken to be others in every segment. */
#define ROWS_PER_KNOWN_VALUE 8

static void
add_column(Image *image, uint32 index, double segments, AttributeEstimate *e)
{
	double rows = image_attr_values(image, LEVEL_SPAN, index);
	double distinct = image_attr_distinct(image, LEVEL_SPAN, index);

	e->rows += rows * segments;
	e->distinct += distinct * ROWS_PER_KNOWN_VALUE > rows ? distinct * segments : distinct;
}

bool
plan_attribute_estimate(Relation rel, double tuples, const char *key, int key_len, AttributeEstimate *e)
{
	MemoryContext own, old;
	StoreUnit unit;
	bool found;

	memset(e, 0, sizeof(*e));
	if (!ActiveSnapshotSet() || !OidIsValid(rel->rd_rel->reltoastrelid))
		return false;
	own = AllocSetContextCreate(CurrentMemoryContext, "tempo attribute estimate", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(own);
	found = store_largest_segment(rel, GetActiveSnapshot(), &unit) && unit.nrows > 0;
	if (found)
	{
		Image *image = store_open(rel, GetActiveSnapshot(), &unit, store_arena(own));
		uint32 n;
		const AttrColumn *columns = image_attrs(image, LEVEL_SPAN, &n);

		for (uint32 i = 0; columns && i < n; i++)
			if (columns[i].occurrence == 0 && str_eq(columns[i].key, str_of(key, key_len)))
				add_column(image, i, Max(tuples / unit.nrows, 1), e);
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(own);
	return found;
}
