/*
 * parse.h
 *	  What the parts of the parser share: where it is, and how it leaves. Recursive descent; where the grammar
 *is ambiguous at a parenthesis, one reading is tried after the other.
 */
#ifndef TEMPO_REF_PARSE_H
#define TEMPO_REF_PARSE_H

#include "ref.h"

#include <setjmp.h>

extern const Token *at;
extern jmp_buf *fallback;

/* Not as the grammar has it: back to the last TRY. */
extern void fail(void) __attribute__((noreturn));

/* Runs the block; when that fails, goes back, and done is false. */
#define TRY(done, block)                                                                                     \
	do                                                                                                       \
	{                                                                                                        \
		jmp_buf here, *outer = fallback;                                                                     \
		const Token *volatile from = at;                                                                     \
		fallback = &here;                                                                                    \
		(done) = setjmp(here) == 0;                                                                          \
		if (done)                                                                                            \
			block else at = from;                                                                            \
		fallback = outer;                                                                                    \
	} while (0)

/* ---- parse_expr.c ---- */

extern bool is_punct(const char *z);
extern bool is_word(const char *z);
extern bool take(const char *z);
extern void expect(const char *z);
extern int64_t take_int(void);

typedef struct BinaryOp
{
	const char *text;
	Op op;
	int level;
} BinaryOp;

extern const BinaryOp binary_ops[];
/* Index of the operator here, when it binds at least as tightly as level; or -1. */
extern int binary_op(int level);
extern Expr *make_value(Val v);
extern Expr *make_binary(Op op, Expr *left, Expr *right); /* folded when both are constants */
extern Field parse_field(void);
extern Expr *parse_expr(int level);

/* ---- parse_scalar.c ---- */

extern Val parse_number(int level);
extern Scalar *parse_aggregate(void);
extern Scalar *parse_scalar(int level);
extern Op parse_comparison(void);

/* ---- parse_pipeline.c ---- */

extern Expr *parse_filter(void);
extern Field *parse_fields(int *n);
extern Pipeline *parse_pipeline(void);
extern SetExpr *set_of_pipeline(Pipeline *p);
extern SetExpr *parse_combined(int level);
extern bool starts_with_pipe(const SetExpr *s);
extern void skip_pipe_comparison(void);

/* ---- parse_metrics.c ---- */

extern Calc *parse_metric_pipeline(void);
extern Calc *parse_metrics(void);

#endif
