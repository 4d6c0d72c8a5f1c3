/*
 * compress.c
 *	  lz4 and zstd over bytes, with one context a process, and the scratch memory of the codecs.
 */
#include "codec/codec_impl.h"

#include <stdlib.h>

#include <lz4.h>
#include <zstd.h>

/* Small blocks of codes gain nothing from higher levels, and level 1 is the cheapest by far. */
#define ZSTD_LEVEL  1

#define MAGIC_BYTES 4

static void
oom_abort(size_t size)
{
	(void) size;
	abort();
}

static void (*oom_hook)(size_t size) = oom_abort;

void
codec_set_oom(void (*hook)(size_t size))
{
	oom_hook = hook;
}

static struct
{
	void *p;
	size_t size;
} scratch[SCRATCH_NSLOTS];

void
codec_fail_memory(size_t size)
{
	oom_hook(size);
	abort();
}

void *
codec_scratch(ScratchSlot slot, size_t size)
{
	if (size > scratch[slot].size)
	{
		size_t want = size + size / 2 + 4096;
		void *p = malloc(want);

		if (p == NULL)
			codec_fail_memory(want);
		free(scratch[slot].p);
		scratch[slot].p = p;
		scratch[slot].size = want;
	}
	return scratch[slot].p;
}

void
codec_trim(size_t keep)
{
	for (int i = 0; i < SCRATCH_NSLOTS; i++)
		if (scratch[i].size > keep)
		{
			free(scratch[i].p);
			scratch[i].p = NULL;
			scratch[i].size = 0;
		}
}

void
codec_release(void)
{
	codec_trim(0);
}

size_t
codec_lz4(const uint8_t *src, size_t len, const uint8_t **out)
{
	int bound = len > LZ4_MAX_INPUT_SIZE ? 0 : LZ4_compressBound((int) len);
	char *dst;
	int got;

	if (bound == 0)
		return 0;
	dst = codec_scratch(SCRATCH_ZOUT, (size_t) bound);
	got = LZ4_compress_default((const char *) src, dst, (int) len, bound);
	*out = (const uint8_t *) dst;
	return got > 0 ? (size_t) got : 0;
}

bool
codec_unlz4(const uint8_t *src, size_t len, uint8_t *dst, size_t raw)
{
	if (len > INT32_MAX || raw > INT32_MAX)
		return false;
	return LZ4_decompress_safe((const char *) src, (char *) dst, (int) len, (int) raw) == (int) raw;
}

static ZSTD_CCtx *
compressor(void)
{
	static ZSTD_CCtx *ctx;

	if (ctx == NULL)
	{
		ctx = ZSTD_createCCtx();
		if (ctx == NULL)
			codec_fail_memory(0);
		/* our blocks carry their own checksum and raw length */
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_compressionLevel, ZSTD_LEVEL);
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_contentSizeFlag, 0);
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_checksumFlag, 0);
		ZSTD_CCtx_setParameter(ctx, ZSTD_c_dictIDFlag, 0);
	}
	return ctx;
}

/* The frame's magic number is not stored: the block's tag has said that it is zstd. */
size_t
codec_zstd(const uint8_t *src, size_t len, const uint8_t **out)
{
	size_t bound = ZSTD_compressBound(len);
	uint8_t *dst = codec_scratch(SCRATCH_ZOUT, bound);
	size_t got = ZSTD_compress2(compressor(), dst, bound, src, len);

	if (ZSTD_isError(got) || got <= MAGIC_BYTES)
		return 0;
	*out = dst + MAGIC_BYTES;
	return got - MAGIC_BYTES;
}

bool
codec_unzstd(const uint8_t *src, size_t len, uint8_t *dst, size_t raw)
{
	static ZSTD_DCtx *ctx;
	uint8_t *frame = codec_scratch(SCRATCH_ZOUT, len + MAGIC_BYTES);
	uint32_t magic = ZSTD_MAGICNUMBER;
	size_t got;

	if (ctx == NULL)
	{
		ctx = ZSTD_createDCtx();
		if (ctx == NULL)
			codec_fail_memory(0);
	}
	memcpy(frame, &magic, MAGIC_BYTES);
	memcpy(frame + MAGIC_BYTES, src, len);
	got = ZSTD_decompressDCtx(ctx, dst, raw, frame, len + MAGIC_BYTES);
	return !ZSTD_isError(got) && got == raw;
}
