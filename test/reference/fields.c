/*
 * fields.c
 *	  What a query mentions.
 */
#include "ref.h"

#include <string.h>

typedef struct Mentioned
{
	int n;
	int cap;
	Field *fields;
} Mentioned;

static void
mention(Mentioned *m, const Field *f)
{
	for (int i = 0; i < m->n; i++)
		if (m->fields[i].scope == f->scope && m->fields[i].intrinsic == f->intrinsic &&
			text_same(m->fields[i].key, f->key))
			return;
	if (m->n == m->cap)
	{
		Field *more = ref_alloc((size_t) (2 * m->cap + 16) * sizeof(Field));

		if (m->n)
			memcpy(more, m->fields, (size_t) m->n * sizeof(Field));
		m->fields = more;
		m->cap = 2 * m->cap + 16;
	}
	m->fields[m->n++] = *f;
}

static void
mention_expr(Mentioned *m, const Expr *e)
{
	if (!e)
		return;
	if (e->kind == X_FIELD)
		mention(m, &e->field);
	mention_expr(m, e->left);
	mention_expr(m, e->right);
}

static void mention_set(Mentioned *m, const SetExpr *s);

static void
mention_pipeline(Mentioned *m, const Pipeline *p)
{
	for (const Stage *s = p->first; s; s = s->next)
	{
		mention_set(m, s->set);
		mention_expr(m, s->expr);
		if (s->left)
			mention_expr(m, s->left->expr);
		for (int i = 0; i < s->nfields; i++)
			mention(m, &s->fields[i]);
	}
}

static void
mention_set(Mentioned *m, const SetExpr *s)
{
	if (!s)
		return;
	mention_set(m, s->left);
	mention_set(m, s->right);
	mention_expr(m, s->filter);
	if (s->pipeline)
		mention_pipeline(m, s->pipeline);
}

Field *
ref_fields(const Query *query, int *n)
{
	Mentioned m = {0};

	mention_set(&m, query->search);
	*n = m.n;
	return m.fields;
}
