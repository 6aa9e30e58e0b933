// Package migrate brings mailboxes from one IMAP server to another, from Cyrus
// (or any) to Dovecot.
package migrate
