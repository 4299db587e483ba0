// Wildcards and the forms of patterns, bytewise, without a disk.
#include "libsync/filter/pattern.h"

#include <catch2/catch.hpp>

using namespace ocsync::sync;

namespace {

bool matches(const char* pattern, const char* path, bool is_dir = false) {
  return Pattern(pattern).matches(MatchName::of(path, is_dir));
}

}  // namespace

TEST_CASE("wildcards: stars stop at slashes unless doubled") {
  CHECK(wild_match("*", "abc"));
  CHECK(wild_match("*", ""));
  CHECK_FALSE(wild_match("*", "a/b"));
  CHECK(wild_match("**", "a/b"));
  CHECK(wild_match("a*c", "abc"));
  CHECK(wild_match("a*c", "ac"));
  CHECK_FALSE(wild_match("a*c", "a/c"));
  CHECK(wild_match("a**c", "a/b/c"));
  CHECK(wild_match("*/b", "a/b"));
  CHECK_FALSE(wild_match("*/b", "a/a/b"));
  CHECK(wild_match("**/b", "a/a/b"));
  CHECK_FALSE(wild_match("**/b", "b"));
  CHECK(wild_match("a***", "a/b"));
  CHECK(wild_match("*a*b*c", "xaybzc"));
  CHECK_FALSE(wild_match("*a*b*c", "xaybzcd"));
  CHECK(wild_match("**a*/b", "x/aa/xa/b"));
  CHECK_FALSE(wild_match("?", "/"));
  CHECK_FALSE(wild_match("?", ""));
  CHECK(wild_match("a?c", "abc"));
}

TEST_CASE("wildcards: classes hold bytes, ranges and named classes, never a slash") {
  CHECK(wild_match("[abc]", "b"));
  CHECK_FALSE(wild_match("[!abc]", "b"));
  CHECK(wild_match("[^abc]", "d"));
  CHECK_FALSE(wild_match("[!abc]", "/"));
  CHECK_FALSE(wild_match("[/]", "/"));
  CHECK(wild_match("[a-c]x", "cx"));
  CHECK(wild_match("[]a]", "]"));
  CHECK(wild_match("[!]a]", "b"));
  CHECK(wild_match("[a-]", "-"));
  CHECK(wild_match("[-a]", "-"));
  CHECK(wild_match("[\\]a]", "]"));
  CHECK(wild_match("[a-\\c]", "b"));
  CHECK(wild_match("[[:digit:][:upper:]]", "7"));
  CHECK(wild_match("[[:digit:][:upper:]]", "Q"));
  CHECK_FALSE(wild_match("[[:digit:][:upper:]]", "q"));
  CHECK(wild_match("[[:x]", ":"));
  CHECK(wild_match("[[]b", "[b"));
  CHECK(wild_match("[[:space:]]", "\t"));
  CHECK(wild_match("[[:xdigit:]]", "f"));
  CHECK(wild_match("[[:punct:]]", "_"));
  CHECK_FALSE(wild_match("[[:alpha:]]", "\xe4"));
  CHECK(wild_match("[\x80-\xff]", "\xe4"));
}

TEST_CASE("wildcards: a malformed class matches nothing") {
  CHECK_FALSE(wild_match("[", "["));
  CHECK_FALSE(wild_match("[a", "a"));
  CHECK_FALSE(wild_match("[!", "a"));
  CHECK_FALSE(wild_match("[a\\", "a"));
  CHECK_FALSE(wild_match("[[:nope:]]", "n"));
  CHECK_FALSE(wild_match("**[a", "xxa"));
  CHECK_FALSE(wild_match("a\\", "a"));
}

TEST_CASE("wildcards: a backslash quotes") {
  CHECK(wild_match("\\*", "*"));
  CHECK_FALSE(wild_match("\\*", "a"));
  CHECK(wild_match("a\\bc", "abc"));
  CHECK(wild_match("\\[x]", "[x]"));
}

TEST_CASE("wildcards: host lists do not care about case") {
  CHECK(wild_match_fold_case("*.Example.ORG", "www.eXample.org"));
  CHECK(wild_match_fold_case("[A-C]x", "bX"));
  CHECK_FALSE(wild_match("A", "a"));
}

TEST_CASE("wildcards: many stars against a long name take no time to speak of") {
  const std::string name(4000, 'a');
  std::string pattern;
  for (int i = 0; i < 200; ++i) pattern += "*a";
  CHECK(wild_match(pattern, name));
  CHECK_FALSE(wild_match(pattern + "b", name));
  CHECK_FALSE(wild_match("**a**a**a**a**a**a**a**a**a**b", name));
}

TEST_CASE("patterns without a slash are about the last component") {
  CHECK(matches("foo", "foo"));
  CHECK(matches("foo", "a/b/foo"));
  CHECK_FALSE(matches("foo", "foo/bar"));
  CHECK_FALSE(matches("foo", "afoo"));
  CHECK(matches("*.o", "a/x.o"));
  CHECK_FALSE(matches("*.o", "a/x.oo"));
  CHECK(matches("*.o", ".o"));
  CHECK(matches(".#*", "a/.#x"));
  CHECK(matches("f?o", "a/foo"));
  CHECK(matches("b\\k", "b\\k"));
  CHECK(matches("b\\k*", "bkx"));
  CHECK_FALSE(matches("b\\k*", "b\\kx"));
}

TEST_CASE("patterns with an inner slash are about as many last components") {
  CHECK(matches("a/b", "a/b"));
  CHECK(matches("a/b", "x/a/b"));
  CHECK_FALSE(matches("a/b", "xa/b"));
  CHECK_FALSE(matches("a/b", "b"));
  CHECK(matches("a*/b", "x/ay/b"));
  CHECK_FALSE(matches("a*/b", "x/a/y/b"));
  CHECK(matches("*/b", "b/b"));
  CHECK_FALSE(matches("*/b", "b"));
}

TEST_CASE("patterns with a leading slash are about the whole path") {
  CHECK(matches("/foo", "foo"));
  CHECK_FALSE(matches("/foo", "a/foo"));
  CHECK(matches("/a/*", "a/b"));
  CHECK_FALSE(matches("/a/*", "x/a/b"));
  CHECK_FALSE(matches("/*", "a/b"));
  CHECK(matches("/**", "a/b"));
}

TEST_CASE("patterns with a double star may start after any slash, or anywhere if it leads") {
  CHECK(matches("a**b", "x/a/y/b"));
  CHECK_FALSE(matches("a**b", "xa/b"));
  CHECK(matches("**/foo", "foo"));
  CHECK(matches("**/foo", "a/b/foo"));
  CHECK(matches("**foo", "a/xfoo"));
  CHECK_FALSE(matches("**/foo", "xfoo"));
  CHECK(matches("dir/**", "x/dir/a/b"));
  CHECK_FALSE(matches("dir/**", "x/dir", true));
}

TEST_CASE("a triple star at the end finds the directory itself") {
  CHECK(matches("dir/***", "x/dir", true));
  CHECK_FALSE(matches("dir/***", "x/dir", false));
  CHECK(matches("dir/***", "x/dir/a"));
  CHECK(matches("/dir/***", "dir", true));
  CHECK_FALSE(matches("/dir/***", "x/dir", true));
  CHECK(matches("**/d/***", "d", true));
}

TEST_CASE("patterns of merge files take their directory for granted") {
  MatchName name = MatchName::of("src/a/foo", false);
  const std::string full = "home/x/src/a/foo";
  name.full = full;
  CHECK(Pattern("/foo", true, 13).matches(name));
  CHECK_FALSE(Pattern("/foo", true, 11).matches(name));
  CHECK(Pattern("/a/f*", true, 11).matches(name));
  CHECK(Pattern("/home/x/src/a/foo", true).matches(name));
  CHECK_FALSE(Pattern("/src/a/foo", true).matches(name));
  CHECK(Pattern("src/a/foo", true).matches(name));
  CHECK_FALSE(Pattern("/foo", true, 100).matches(name));
}
