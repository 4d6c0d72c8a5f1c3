/*
 * exception.c
 *	  The event that spans with an error carry.
 */
#include "gen.h"

void
exception_attrs(Gen *g, const Span *s, AttrList *l)
{
	static const char stack[] = "\n\tat com.shop.http.Handler.invoke(Handler.java:0)"
								"\n\tat com.shop.grpc.Handler.invoke(Handler.java:7)"
								"\n\tat com.shop.pool.Handler.invoke(Handler.java:14)"
								"\n\tat com.shop.cart.Handler.invoke(Handler.java:21)"
								"\n\tat com.shop.db.Handler.invoke(Handler.java:28)"
								"\n\tat com.shop.retry.Handler.invoke(Handler.java:35)"
								"\n\tat com.shop.core.Handler.invoke(Handler.java:42)"
								"\n\tat com.shop.app.Handler.invoke(Handler.java:49)";

	l->n = 0;
	attr_text(l, TEXT("exception.type"), s->message);
	attr_text(l, TEXT("exception.message"),
			  gen_text(g, "%.*s while calling upstream", (int) s->message.len, s->message.p));
	attr_text(l, TEXT("exception.stacktrace"),
			  gen_text(g, "%.*s%s", (int) s->message.len, s->message.p, stack));
}
