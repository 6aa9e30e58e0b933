// Package imapwire is a small, tolerant IMAP4rev1 client for moving mail in
// bulk. It exists beside go-imap for what that library lacks and a migration
// needs: MULTIAPPEND (RFC 3502) with non-synchronising literals (RFC 7888),
// message bodies that stream from one server to the other, LSUB and XLIST,
// Cyrus' DIGEST.SHA1, VANISHED (RFC 7162), and a connection that survives an
// odd line. It is no mail reader: no envelopes, no body structures, no IDLE.
//
// # Tolerance
//
// A response that cannot be read is skipped to its end, literals included, and
// kept in [Client.Odd]; the connection goes on. Mailbox names are handed out
// as they came ("raw", modified UTF-7 or whatever the server sent) and are sent
// back unchanged; [DecodeName] makes them readable without ever failing.
// Flags and keywords come as they are, and [CleanFlags] decides which of them
// may be sent: Dovecot executes the body of a message as commands when it
// rejects the flags in front of a non-synchronising literal.
//
// # Use
//
// A [Client] is one connection and is used by one goroutine at a time. Every
// method takes a context; when it ends, the connection is closed, because an
// IMAP command cannot be taken back. Errors are of two kinds: [*Error] is the
// server's NO or BAD and leaves the connection usable; everything else is fatal to the
// connection and satisfies errors.Is(err, [ErrConnection]).
//
// Source: RFC 3501, 3502, 4315, 4466, 4731, 5258, 5819, 6154, 7162, 7888, and
// what Cyrus 3.6 and Dovecot 2.3 send.
package imapwire
