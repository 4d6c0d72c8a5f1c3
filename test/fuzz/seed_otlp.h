/*
 * seed_otlp.h
 *	  Seeds for the OTLP fuzz targets: documents under TEMPO_SHARED small enough to be mutated well, and one
 *	  made up here, so that there is always something.
 */
#include "../unit/otlp_oracle.h"

#include <dirent.h>

#define SEED_MAX 20000

static void
write_seed(const char *dir, const char *name, Str bytes)
{
	char path[2048];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	f = fopen(path, "wb");
	if (f == NULL)
		exit(1);
	fwrite(bytes.p, 1, bytes.len, f);
	fclose(f);
}

/* Files of a shared directory whose first byte is (or is not) that of a JSON object. */
__attribute__((unused)) static void
copy_seeds(const char *dir, const char *from, bool json, Arena *a)
{
	const char *source = shared_path(from, a);
	DIR *d = opendir(source);
	struct dirent *e;

	while (d != NULL && (e = readdir(d)) != NULL)
	{
		char path[2048];
		Str bytes;

		snprintf(path, sizeof(path), "%s/%s", source, e->d_name);
		if (e->d_name[0] == '.')
			continue;
		bytes = read_whole(path, a);
		if (bytes.len > 0 && bytes.len <= SEED_MAX && (bytes.p[0] == '{') == json)
			write_seed(dir, e->d_name, bytes);
	}
	if (d != NULL)
		closedir(d);
}
