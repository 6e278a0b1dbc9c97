import Testing

/// ENOBUFS is one errno with several causes (rules 16 to 18). Each has its own error in `.zeroCopy` and is a
/// copy in `.automatic`, and no byte is lost or doubled.
///
/// Written to be run by root, by an ordinary user, and by the root of a user namespace: `Scripts/test-limits.sh`
/// does so. One after the other, because the limit of locked memory is the process's.
@Suite("Limits", .serialized)
enum LimitTests {}
