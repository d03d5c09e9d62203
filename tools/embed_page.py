#!/usr/bin/env python3
"""Turns the files of web/dist, compressed, into a C++ source. Usage: embed_page.py FOLDER OUTPUT.cc

Same files, same bytes: no times, names sorted. The table's type is in api/page_files.h.
"""
import gzip
import hashlib
import pathlib
import sys

TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}


def literal(data):
    # Octal escapes: always three digits, so that a digit that follows is not taken for a part of them.
    text = "".join(chr(b) if 32 <= b < 127 and chr(b) not in '"\\?' else f"\\{b:03o}" for b in data)
    lines, at = [], 0
    while at < len(text):
        end = min(at + 96, len(text))
        while end < len(text) and "\\" in text[max(at, end - 3):end]:  # not inside an escape
            end += 1
        lines.append(f'    "{text[at:end]}"')
        at = end
    return "\n".join(lines)


def main():
    folder, output = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    parts = []
    for path in sorted(p for p in folder.rglob("*") if p.is_file()):
        plain = path.read_bytes()
        packed = gzip.compress(plain, 9, mtime=0)
        name = path.relative_to(folder).as_posix()
        etag = hashlib.sha256(plain).hexdigest()[:16]
        parts.append(f'  {{"{name}", "{TYPES[path.suffix]}", "{etag}", {len(plain)},\n'
                     f"   std::string_view(\n{literal(packed)},\n    {len(packed)})}},\n")
    output.write_text('// Made by tools/embed_page.py from web/dist.\n#include "api/page_files.h"\n\n'
                      "namespace narthex::api {\nnamespace {\n\nconstexpr PageFile kFiles[] = {\n" + "".join(parts) +
                      "};\n\n}  // namespace\n\nstd::span<const PageFile> PageFiles() { return kFiles; }\n\n"
                      "}  // namespace narthex::api\n")


if __name__ == "__main__":
    main()
