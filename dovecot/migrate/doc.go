// Package migrate brings mailboxes from one IMAP server to another: from Cyrus,
// or any server with UIDs, to Dovecot. Run it once or fifty times, interrupt it
// anywhere: every message arrives once, in the right folder, with its flags,
// keywords, internal date and the folder's subscription.
//
//	m := migrate.New(old, new, "/var/lib/migrate", nil)
//	res, err := m.Sync(ctx, migrate.Account{Name: "a.muster", Source: ..., Target: ...})
//
// [Migrator.Plan] shows the folders first, [Migrator.Sync] is the first copy
// and every later one, [Migrator.CutOver] the last, [Migrator.Verify] the proof. [Migrator.RunWave]
// does this for many accounts within windows of time. The program
// examples/migrate is a thin shell around them.
//
// # What a run does
//
// It logs in to both sides, lists their folders with one command each, and
// compares UIDVALIDITY, UIDNEXT, the number of messages and HIGHESTMODSEQ with
// what the last run noted. Folders that are as they were cost nothing more. In
// the others it brings new messages, then changed flags, and when all folders
// are done it follows deletions, so that a message that moved between folders
// is at the target at every moment.
//
// Messages stream: the source is read ahead by up to 1 MiB while the target
// stores; nothing is kept whole in memory. The target gets them by MULTIAPPEND
// (RFC 3502) in batches, because a Maildir synchronises the folder after each APPEND.
//
// # How a message is recognised
//
// Every account has a file in the state directory that pairs UIDs of both
// sides, and beside it one that names the batch under way, so that what a
// killed run stored is known for ours. The state makes later runs fast and remembers what the user
// has since deleted at the target, which does not come back. It is not needed to be right: where it is missing
// or behind (first run, crash, lost file, an earlier conversion by other
// tools), messages at the target are compared with the source's by content,
// first byte for byte and then by headers and body without what other tools and servers are known to change
// (mbsync's X-TUID, line ends, NULs). Never by Message-ID alone. Equal messages
// are counted: three at the source are three at the target. Cyrus tells the
// SHA-1 of every message (DIGEST=SHA1), so that nothing is downloaded for this
// from there. When the state is lost, what users had deleted at
// the target before cannot be told from what never arrived, and is copied
// again; the result says how many messages were recognised.
//
// # Who decides what
//
// Until the cut-over the source does: flags that it adds or removes are added
// or removed at the target (what the user changes at the target stays), and
// messages that we brought are deleted when they are deleted at the source
// ([Options].KeepDeleted switches that off, [Options].MaxDeleted holds large deletions back).
// After the cut-over only late mail is brought. Messages that the
// migration did not bring are never touched.
//
// # What is not believed
//
// A server that contradicts itself, or cannot be read, costs nothing but time. In a session with a
// line that could not be read nothing is deleted, no folder and no subscription either; before
// messages are deleted, SELECT, STATUS and SEARCH have to count the same. A folder whose target lists
// fewer messages than it counts, or does not tell of each, stays as it is when messages have to be recognised there:
// they would come a second time. A message that the source lists and does not tell of or send stays behind, is
// reported, and is looked for at both sides by the next run.
//
// # Folders
//
// Separators, prefixes ("INBOX.Sent") and modified UTF-7 are translated. Special
// folders end in one of each kind: by configuration, then by the source's
// SPECIAL-USE, then by a table of names in German, English, French and Italian ([RoleOfName]).
// Dovecot lets no client set SPECIAL-USE: which folder is which there is
// its configuration. When two source folders meet in one target folder, a message that is in
// both is there once. The decision for a folder is recorded by the first copy
// and stays when rules change later.
//
// # What to know before the first run
//
//   - UIDs and UIDVALIDITY cannot be set over IMAP: mail programs load the
//     headers anew once after the switch, and POP3 clients may load messages again.
//   - Dovecot replaces internal dates in the future by the present; the certificate lists them.
//   - A message without content cannot be stored over IMAP and is reported.
//   - Maildir keeps 26 keywords of a folder in file names, and further ones in its index only.
//   - Dovecot's acl plugin shows a master user an empty account unless acl_user is
//     set; Cyrus lets an admin act for users who do not exist. Both
//     end as [ErrNoMailbox], never as an empty mailbox.
//   - ACLs and Sieve scripts are not moved, limits of storage with [Options].Quota only; see package dovecot.
//   - Moves at the source are a new copy and a deletion; the content travels again.
//   - UIDs and UIDVALIDITY can be kept after all when the first copy is made from
//     Cyrus' spool on disk by package dovecot/migrate/spool; a run of this
//     package goes on from there and brings what the spool does not tell. It reads
//     the target's messages once to recognise them.
//
// Sources: the behaviour of Cyrus 3.6.1 and Dovecot 2.3.19.1, RFC 3501, 3502,
// 4315, 6154, 7162.
package migrate
