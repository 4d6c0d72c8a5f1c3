/*
 * names.c
 *	  Names of tags by scope: keys of attribute columns, and keys within the distinct resources and
 *	  instrumentation scopes.
 */
#include "traceql/tags/collect.h"
#include "traceql/tags/marks.h"

struct TagNames
{
	Arena *arena;
	TagSet *sets[TAGS_NSCOPES]; /* NULL: not asked for */
	Marks columns[NLEVELS];     /* attribute columns whose keys are known */
	Marks resources;
	Marks scopes;
};

const char *
tag_scope_name(TagScope scope)
{
	static const char *const names[] = {"span", "resource", "event", "link", "instrumentation", "intrinsic"};

	return names[scope];
}

bool
tag_scope_read(Str name, TagScope *scope)
{
	for (*scope = 0; *scope <= TAGS_INTRINSIC; (*scope)++)
		if (str_eq(name, str_lit(tag_scope_name(*scope))))
			return true;
	return false;
}

const char *
tag_intrinsic(uint32_t i)
{
	static const char *const names[] = {"duration",
										"event:name",
										"event:timeSinceStart",
										"instrumentation:name",
										"instrumentation:version",
										"kind",
										"link:spanID",
										"link:traceID",
										"name",
										"rootName",
										"rootServiceName",
										"span:duration",
										"span:id",
										"span:kind",
										"span:name",
										"span:parentID",
										"span:status",
										"span:statusMessage",
										"status",
										"statusMessage",
										"trace:duration",
										"trace:id",
										"trace:rootName",
										"trace:rootService",
										"traceDuration"};

	return i < sizeof(names) / sizeof(*names) ? names[i] : NULL;
}

TagNames *
tag_names_create(Arena *arena, uint32_t scopes, uint32_t max_names)
{
	TagNames *names = arena_alloc0(arena, sizeof(TagNames));

	names->arena = arena;
	for (TagScope scope = 0; scope < TAGS_NSCOPES; scope++)
		if (scopes & 1u << scope)
			names->sets[scope] = tag_set_create(arena, max_names, 0);
	return names;
}

TagSet *
tag_names_set(const TagNames *names, TagScope scope)
{
	return names->sets[scope];
}

static TagSet *
level_set(const TagNames *names, Level level)
{
	switch (level)
	{
		case LEVEL_SPAN: return names->sets[TAGS_SPAN];
		case LEVEL_EVENT: return names->sets[TAGS_EVENT];
		case LEVEL_LINK: return names->sets[TAGS_LINK];
		default: return NULL;
	}
}

/* Keys of attributes in the format of value.h. */
static void
add_keys(TagSet *set, Str attributes)
{
	ValueIter it;
	KeyValue kv;

	if (attributes.len == 0 || !value_iter_begin(&it, attributes))
		return;
	while (value_iter_next_kv(&it, &kv))
		tag_set_add_string(set, kv.key);
}

static bool
has_key(const TagSet *set, Str key)
{
	return tag_set_has(set, &(TagValue){.type = TAG_STRING, .s = key});
}

static bool
has_keys(const TagSet *set, Str attributes)
{
	ValueIter it;
	KeyValue kv;

	if (attributes.len == 0 || !value_iter_begin(&it, attributes))
		return true;
	while (value_iter_next_kv(&it, &kv))
		if (!has_key(set, kv.key))
			return false;
	return true;
}

/* ---- whole images ---- */

static bool
image_entries(TagSet *set, Image *image, SpanCol col)
{
	const Str *entries;
	uint32_t n;

	if (!set)
		return true;
	entries = image_strings(image, LEVEL_SPAN, LOAD_COLUMN, col, &n);
	for (uint32_t i = 0; entries && i < n; i++)
		add_keys(set, entries[i]);
	return entries != NULL;
}

bool
tag_names_image(TagNames *names, Image *image)
{
	bool resources, scopes;

	for (Level level = LEVEL_SPAN; level <= LEVEL_LINK; level++)
	{
		TagSet *set = level_set(names, level);
		uint32_t n = 0;
		const AttrColumn *columns = set ? image_attrs(image, level, &n) : NULL;

		for (uint32_t c = 0; c < n; c++)
			if (image_attr_values(image, level, c) > 0)
				tag_set_add_string(set, columns[c].key);
	}
	resources = image_entries(names->sets[TAGS_RESOURCE], image, SC_RESOURCE);
	scopes = image_entries(names->sets[TAGS_INSTRUMENTATION], image, SC_SCOPE);
	return resources && scopes;
}

static bool
entries_covered(const TagSet *set, Image *image, SpanCol col)
{
	const Str *entries;
	uint32_t n;

	if (!set)
		return true;
	entries = image_strings(image, LEVEL_SPAN, LOAD_COLUMN, col, &n);
	for (uint32_t i = 0; entries && i < n; i++)
		if (!has_keys(set, entries[i]))
			return false;
	return entries != NULL;
}

bool
tag_names_covered(const TagNames *names, Image *image)
{
	for (Level level = LEVEL_SPAN; level <= LEVEL_LINK; level++)
	{
		TagSet *set = level_set(names, level);
		uint32_t n = 0;
		const AttrColumn *columns = set ? image_attrs(image, level, &n) : NULL;

		for (uint32_t c = 0; c < n; c++)
			if (!has_key(set, columns[c].key))
				return false;
	}
	return entries_covered(names->sets[TAGS_RESOURCE], image, SC_RESOURCE) &&
		   entries_covered(names->sets[TAGS_INSTRUMENTATION], image, SC_SCOPE);
}

/* ---- batches ---- */

static void
mark_known_columns(TagNames *names, const TagSet *set, Level level, const AttrSet *attrs)
{
	for (uint32_t c = 0; c < attrs->ncolumns; c++)
		if (has_key(set, attrs->columns[c].key))
			marks_set(&names->columns[level], c);
}

static void
add_shape(TagNames *names, TagSet *set, Level level, const AttrSet *attrs, const AttrShape *shape)
{
	for (uint32_t k = 0; k < shape->n; k++)
		if (marks_set(&names->columns[level], shape->columns[k]))
			tag_set_add_string(set, attrs->columns[shape->columns[k]].key);
}

static void
batch_level(TagNames *names, Batch *batch, Level level, uint64_t source, const uint8_t *rows, Arena *scratch)
{
	TagSet *set = level_set(names, level);
	const AttrSet *attrs;
	uint32_t nrows;
	const uint32_t *shape;
	uint8_t *used;

	/* A gathered batch knows nothing of events and links before. */
	if (set && level == LEVEL_EVENT)
		(void) batch_event_first(batch);
	if (set && level == LEVEL_LINK)
		(void) batch_link_first(batch);
	attrs = batch->level[level].attrs;
	nrows = batch->level[level].nrows;
	if (!set || !attrs)
		return;
	if (marks_use(&names->columns[level], names->arena, source, NULL, attrs->ncolumns))
		mark_known_columns(names, set, level, attrs);
	if (names->columns[level].left == 0 || nrows == 0)
		return;
	rows = marks_child_rows(batch, level, rows, scratch);
	shape = batch_shapes(batch, level);
	used = arena_alloc0(scratch, (size_t) attrs->nshapes + 1);
	for (uint32_t r = 0; r < nrows; r++)
		used[shape[r]] |= rows ? rows[r] : 1;
	for (uint32_t s = 0; s < attrs->nshapes; s++)
		if (used[s])
			add_shape(names, set, level, attrs, &attrs->shapes[s]);
}

static void
batch_entries(TagNames *names, TagSet *set, Marks *marks, Batch *batch, SpanCol col, uint64_t source,
			  const uint8_t *rows)
{
	const Column *column;

	if (!set)
		return;
	column = batch_column(batch, LEVEL_SPAN, col);
	if (marks_use_dict(marks, names->arena, source, column))
		for (uint32_t i = 0; column->ndict <= MARKS_PROBE && i < column->ndict; i++)
			if (has_keys(set, column->dict[i]))
				marks_set(marks, i);
	for (uint32_t r = 0; r < column->n && marks->left > 0; r++)
	{
		if ((rows && !rows[r]) || (column->nulls && column->nulls[r]))
			continue;
		if (marks_set(marks, column->codes[r]))
			add_keys(set, column_str(column, r));
	}
}

void
tag_names_batch(TagNames *names, Batch *batch, uint64_t source, const uint8_t *rows, Arena *scratch)
{
	for (Level level = LEVEL_SPAN; level <= LEVEL_LINK; level++)
		batch_level(names, batch, level, source, rows, scratch);
	batch_entries(names, names->sets[TAGS_RESOURCE], &names->resources, batch, SC_RESOURCE, source, rows);
	batch_entries(names, names->sets[TAGS_INSTRUMENTATION], &names->scopes, batch, SC_SCOPE, source, rows);
}

static bool
marks_done(const TagSet *set, const Marks *marks, uint64_t source)
{
	return !set || (marks->source == source && marks->left == 0);
}

bool
tag_names_exhausted(const TagNames *names, uint64_t source)
{
	for (Level level = LEVEL_SPAN; level <= LEVEL_LINK; level++)
		if (!marks_done(level_set(names, level), &names->columns[level], source))
			return false;
	return marks_done(names->sets[TAGS_RESOURCE], &names->resources, source) &&
		   marks_done(names->sets[TAGS_INSTRUMENTATION], &names->scopes, source);
}
