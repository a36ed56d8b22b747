/* Media types: a table sorted by extension, searched by halving.
 *
 * Text is declared to be UTF-8, because that is what files are today and browsers guess otherwise;
 * XML is not, because it declares its encoding itself and a charset here would win (RFC 7303 §3).
 * The types are those of the IANA registry and of RFC 9239 (JavaScript). */
#include "http/media_type.h"

#include <string.h>

#include "http/byte.h"

struct media_type {
	struct text extension, name;
};

#define TYPE(extension, name)                                                                      \
	{                                                                                          \
		TEXT(extension), TEXT(name)                                                        \
	}
#define UTF_8 "; charset=utf-8"

static const struct media_type TYPES[] = {
	TYPE("7z", "application/x-7z-compressed"),
	TYPE("aac", "audio/aac"),
	TYPE("apng", "image/apng"),
	TYPE("atom", "application/atom+xml"),
	TYPE("avi", "video/x-msvideo"),
	TYPE("avif", "image/avif"),
	TYPE("bmp", "image/bmp"),
	TYPE("br", "application/x-brotli"),
	TYPE("bz2", "application/x-bzip2"),
	TYPE("c", "text/plain" UTF_8),
	TYPE("cjs", "text/javascript" UTF_8),
	TYPE("conf", "text/plain" UTF_8),
	TYPE("css", "text/css" UTF_8),
	TYPE("csv", "text/csv" UTF_8),
	TYPE("deb", "application/vnd.debian.binary-package"),
	TYPE("doc", "application/msword"),
	TYPE("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
	TYPE("eot", "application/vnd.ms-fontobject"),
	TYPE("epub", "application/epub+zip"),
	TYPE("flac", "audio/flac"),
	TYPE("gif", "image/gif"),
	TYPE("gz", "application/gzip"),
	TYPE("h", "text/plain" UTF_8),
	TYPE("heic", "image/heic"),
	TYPE("htm", "text/html" UTF_8),
	TYPE("html", "text/html" UTF_8),
	TYPE("ico", "image/vnd.microsoft.icon"),
	TYPE("ics", "text/calendar" UTF_8),
	TYPE("iso", "application/x-iso9660-image"),
	TYPE("jpeg", "image/jpeg"),
	TYPE("jpg", "image/jpeg"),
	TYPE("js", "text/javascript" UTF_8),
	TYPE("json", "application/json"),
	TYPE("jsonl", "application/jsonl"),
	TYPE("jxl", "image/jxl"),
	TYPE("log", "text/plain" UTF_8),
	TYPE("m4a", "audio/mp4"),
	TYPE("m4v", "video/mp4"),
	TYPE("map", "application/json"),
	TYPE("md", "text/markdown" UTF_8),
	TYPE("mid", "audio/midi"),
	TYPE("mjs", "text/javascript" UTF_8),
	TYPE("mkv", "video/matroska"),
	TYPE("mov", "video/quicktime"),
	TYPE("mp3", "audio/mpeg"),
	TYPE("mp4", "video/mp4"),
	TYPE("mpeg", "video/mpeg"),
	TYPE("oga", "audio/ogg"),
	TYPE("ogg", "audio/ogg"),
	TYPE("ogv", "video/ogg"),
	TYPE("opus", "audio/ogg"),
	TYPE("otf", "font/otf"),
	TYPE("pdf", "application/pdf"),
	TYPE("png", "image/png"),
	TYPE("pptx", "application/vnd.openxmlformats-officedocument.presentationml.presentation"),
	TYPE("rss", "application/rss+xml"),
	TYPE("rtf", "application/rtf"),
	TYPE("shtm", "text/html" UTF_8),
	TYPE("shtml", "text/html" UTF_8),
	TYPE("stm", "text/html" UTF_8),
	TYPE("svg", "image/svg+xml"),
	TYPE("tar", "application/x-tar"),
	TYPE("tgz", "application/gzip"),
	TYPE("tif", "image/tiff"),
	TYPE("tiff", "image/tiff"),
	TYPE("toml", "application/toml"),
	TYPE("ttf", "font/ttf"),
	TYPE("txt", "text/plain" UTF_8),
	TYPE("vtt", "text/vtt" UTF_8),
	TYPE("wasm", "application/wasm"),
	TYPE("wav", "audio/wav"),
	TYPE("weba", "audio/webm"),
	TYPE("webm", "video/webm"),
	TYPE("webmanifest", "application/manifest+json"),
	TYPE("webp", "image/webp"),
	TYPE("woff", "font/woff"),
	TYPE("woff2", "font/woff2"),
	TYPE("xhtml", "application/xhtml+xml"),
	TYPE("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
	TYPE("xml", "application/xml"),
	TYPE("xsl", "application/xslt+xml"),
	TYPE("xz", "application/x-xz"),
	TYPE("yaml", "application/yaml"),
	TYPE("yml", "application/yaml"),
	TYPE("zip", "application/zip"),
	TYPE("zst", "application/zstd"),
};

/* As their bytes and lengths order them, ignoring the case of `text`. */
static int compare(struct text text, struct text extension)
{
	for (size_t i = 0; i < text.length && i < extension.length; i++) {
		int difference = byte_lower(text.bytes[i]) - extension.bytes[i];

		if (difference != 0)
			return difference;
	}
	return (text.length > extension.length) - (text.length < extension.length);
}

/* What follows the last "." of the last segment; empty when there is none. */
static struct text extension_of(struct text path)
{
	for (size_t i = path.length; i > 0 && path.bytes[i - 1] != '/'; i--) {
		if (path.bytes[i - 1] == '.')
			return text_from(path, i);
	}
	return (struct text){ 0 };
}

struct text media_type_of(struct text path)
{
	struct text extension = extension_of(path);
	size_t low = 0, high = sizeof(TYPES) / sizeof(TYPES[0]);

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = compare(extension, TYPES[middle].extension);

		if (order == 0)
			return TYPES[middle].name;
		if (order < 0)
			high = middle;
		else
			low = middle + 1;
	}
	return text_literal("application/octet-stream");
}

struct text media_type_name(struct text media_type)
{
	return text_trim(text_first(media_type, text_find(media_type, ';')));
}

const char *media_type_check_charset(const char *const *strings, size_t count, size_t *wrong)
{
	const char *const letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
				    "0123456789-_.:+";
	size_t length = strlen(strings[0]);

	(void)count;
	*wrong = 0;
	if (length > 40 || strspn(strings[0], letters) != length)
		return "no name of a charset";
	return NULL;
}
