// Package spool converts a Cyrus IMAP spool on disk into Dovecot's Maildir and
// keeps UIDs and UIDVALIDITY, so that mail programs need not load anything
// anew. It is the fast first copy of a migration of terabytes; package
// [migrate] goes on over IMAP from where it ended. It does what the script
// Cyrus2Dovecot did, and can be run again: every run brings what is new, and
// one that was killed is finished by the next.
//
//	c := spool.New(spool.Source{
//		Partitions: []spool.Partition{{Data: "/var/spool/cyrus/mail"}},
//		Config:     "/var/lib/cyrus",
//	}, "/var/lib/migrate", nil)
//	res, err := c.Convert(ctx, spool.Account{Name: "a.muster", Maildir: "/srv/mail/a.muster/Maildir"})
//
// [Converter.Plan] shows the folders and changes nothing, [Converter.Convert]
// does one account, [Converter.ConvertAll] many. The program examples/migrate
// does so with -spool and -maildir.
//
// # Order of work
//
//  1. Make the homes of the accounts at the target, with the right owner. Do
//     not let the users in yet.
//  2. Convert, on a host that sees both file systems: the spool mounted from
//     the old server or from a snapshot of it, read only, and the Maildirs.
//     Cyrus may be running.
//  3. Convert again whenever you like; each run costs what has changed.
//  4. Run the migration over IMAP, with the same folder rules and the same state
//     directory: it recognises every message that is there, and brings what came since,
//     special use and the folders that the converter leaves (see below). From
//     now on it follows changes, and the converter refuses the account
//     ([ErrMigrated]): it would bring once more what came over IMAP.
//  5. Let the users in, cut over, verify, as package migrate describes.
//
// What users delete at the target before step 4 comes back with it, because the
// migration over IMAP has not seen it there: open the accounts after its
// first run.
//
// # Finding a mailbox
//
// Cyrus 3.6 keeps mailboxes in PARTITION/uuid/a/b/abcd..., where only
// cyrus.header tells the name; earlier versions, and those accounts of 3.6
// that have not been moved, in PARTITION/user/anna/Folder, where "." in a name is "^", or with
// hashimapspool in PARTITION/a/user/anna. All of these are looked into, and those of
// virtual domains below PARTITION/domain. To look by hand: mbpath user.anna
// prints the directory.
// Deleted folders of delete_mode: delayed and expunged messages are not brought.
//
// # Reading
//
// The process needs to read the spool and the configuration directory (the
// group "mail" or the user "cyrus"), and to write to the Maildirs with their owner:
// usually it is run as root. Nothing in the spool is ever written.
// Messages are copied and not linked: a file has one owner and one time, and
// the old server's are not touched.
//
// Met for real were the files of Cyrus 3.6.1 (index version 17), in every tree
// that it can write. The versions 9 to 16, which Cyrus 2.3 to 3.4 write, and
// 18 and 19 were built from the definitions in imap/mailbox.h of the releases and tested
// with files that the tests write; version 20 and later are refused
// ([ErrVersion]), as are those before 2.3. Index headers and records carry a checksum
// since 2.4, and content a SHA-1: what does not fit is reported with UID and
// path. A record that cannot be trusted is not converted, as Cyrus would not serve it
// either; a file that differs from its digest is converted as it is.
//
// Before 2.4 what the owner has read is not in the index but in a database,
// CONFIG/user/a/anna.seen. Its formats flat and skiplist are read. Where it is
// missing or of another format the result has a problem "seen", nothing is
// marked as read, and the migration over IMAP brings it. Subscriptions come
// from CONFIG/user/a/anna.sub in the same formats.
//
// # Writing
//
// A message becomes cur/<date>.U<uid>V<uidvalidity>.<mailbox>.cyrus,S=..,W=..:2,FLAGS
// with the internal date as its time, byte for byte as in the spool. The order makes every
// moment one from which the next run can go on: keywords are written to
// dovecot-keywords before a file has their letters; files are written in tmp
// and brought to the disk in batches; then, under Dovecot's own lock, they are
// renamed into cur and their UIDs are added to dovecot-uidlist; then the state notes them.
//
// The converter honours and takes dovecot-uidlist.lock and dovecot-keywords.lock, and Dovecot
// may be running and have folders open: its sessions see new mail, changed flags and
// expunged messages. What should not happen before the first conversion is
// that mail arrives there: a message that Dovecot receives takes the next UID, and
// later ones from the source that had this UID get another (counted as
// Renumbered). An empty folder that provisioning has made is given the
// source's UIDVALIDITY (Dovecot logs a warning, and asks a session that has it
// open to log in again); one with messages and another UIDVALIDITY is left to IMAP. With mdbox or
// sdbox at the target, or a mail_location with CONTROL or INDEX elsewhere, the
// package is of no use: it writes Maildir with everything in its place.
//
// # Running again
//
// The state, one file for each account, knows which messages were delivered
// and with which flags. A message that was delivered and is not there any
// more has been removed by its user, and does not come back. Flags
// that the source has added or removed since are added or removed; what the user has
// changed at the target stays. Messages that were deleted at the source are
// deleted ([Options].KeepDeleted, [Options].MaxDeleted). A folder whose files have not
// changed since is not looked into. A lost state doubles nothing: the files are
// recognised by name, and those of an earlier conversion by UID and content;
// but what users had removed comes back.
//
// A folder whose UIDVALIDITY has changed at either side is refused
// ([ErrUIDValidity]), an account whose Maildir has vanished as a whole
// ([ErrTargetNew]), and a spool that is empty, as one that is not mounted
// ([ErrSource]). One bad folder or message stops no other.
//
// # What is left to IMAP
//
// UIDs are unique in one folder, so that of two source folders that go to one target
// ("Gesendet" and "Sent") only one can keep them: the larger one, or
// INBOX. The other is left, and listed in [Result].LeftBehind: the migration over
// IMAP merges it, and what is in both is there once. So are folders that are marked by
// special use and not by their name, if there is no [Options].FolderPlan, and calendars and address
// books are left altogether. ACLs, Sieve scripts and quotas are not moved.
//
// Memory: some 250 bytes for each message of the folders under way (50 MB
// for 200,000), never a message as a whole.
//
// Sources: files written by Debian's Cyrus 3.6.1 and Dovecot 2.3.19.1, the
// definitions in imap/mailbox.h and lib/cyrusdb_skiplist.c of Cyrus 2.3 to 3.6,
// the documentation of Cyrus2Dovecot 1.3.
package spool
