// Every bound on what a far side may say, with its reason. Decoders check against these where they read.
//
// Fault follows upstream's exit codes, so that scripts see what they are used to: kProtocol ends with 2, kUnsupported
// with 4, kStream with 12, kMemory with 22.
#pragma once

#include <cstddef>
#include <cstdint>

namespace ocsync::proto {

// Versions that a real rsync may announce. Anything else is the noise of a login script.
inline constexpr int32_t kLowestAnnounced = 20;
inline constexpr int32_t kHighestAnnounced = 40;

// The longest name including its final zero byte on the systems rsync runs on; names stay below it.
inline constexpr size_t kMaxPath = 4096;
// Upstream's buffer for texts and rules: a path and something around it. Bodies of text messages and filter rules stay
// below it.
inline constexpr size_t kBigPath = kMaxPath + 1024;

// Negotiated lists of names: what fits upstream's 256-byte buffer.
inline constexpr size_t kMaxAlgorithmList = 255;
// A string with a one- or two-byte length cannot be longer.
inline constexpr size_t kMaxVstring = 0x7fff;

// A frame's length field has 24 bits; a data frame may use them all, since it is never held in memory.
inline constexpr uint32_t kMaxFrame = 0xffffff;
// What we put into one data frame. rsync 2.6.9 to 3.5.0 accept any length, but all of them emit less than 65536, and a
// reader with 16-bit habits deserves no surprise.
inline constexpr uint32_t kMaxDataFrameSent = 65532;
// Bodies of text and name messages: below upstream's buffer.
inline constexpr uint32_t kMaxTextMessage = kBigPath - 1;
// A daemon's time-out message above a day is nonsense, as is zero; such messages are ignored.
inline constexpr int32_t kMaxIoTimeout = 86400;
// General, vanished, delete limit.
inline constexpr int32_t kIoErrorBits = 7;

// Arguments sent over the stream: count as a daemon bounds it; the text of all together.
inline constexpr size_t kMaxArgs = 16000;
inline constexpr size_t kMaxArgsText = size_t{16} << 20;

// All filter rules together. A rule may be kBigPath - 1 long; nobody writes 10,000 such rules.
inline constexpr size_t kMaxFilterText = size_t{64} << 20;

// Nanoseconds in a second; a fraction stays below it.
inline constexpr uint32_t kNanoseconds = 1'000'000'000;

// Names of users and groups have a one-byte length.
inline constexpr size_t kMaxIdName = 255;
// Id lists: more different owners than this in one transfer is not a file system any more.
inline constexpr size_t kMaxIdNames = size_t{1} << 22;

// Names in one ACL.
inline constexpr int32_t kMaxAclNames = 65536;
// Extended attributes of one entry, the length of a name with its zero byte, one value, and a whole set.
inline constexpr int32_t kMaxXattrs = 65536;
inline constexpr int32_t kMaxXattrName = 4096;
inline constexpr int32_t kMaxXattrValue = 128 << 20;
inline constexpr int64_t kMaxXattrSet = int64_t{512} << 20;
// A value longer than this travels as its MD5 first.
inline constexpr int32_t kMaxWholeXattr = 32;
inline constexpr size_t kXattrDigestBytes = 16;
// Memory that all literally sent ACLs, or attribute sets, of one session may take.
inline constexpr size_t kMaxCacheBytes = size_t{1} << 30;

// Deleted things of one kind; five of them still add up within 32 bits.
inline constexpr int32_t kMaxDeletionCount = 1 << 28;

}  // namespace ocsync::proto
