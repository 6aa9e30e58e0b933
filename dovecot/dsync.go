package dovecot

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
)

// SyncOptions are options of [Client.Backup] and [Client.Sync].
type SyncOptions struct {
	// Reverse makes the user of the call the target and the destination the
	// source.
	Reverse bool
	// OneWay (Sync only) changes only the target and keeps what is there
	// besides.
	OneWay bool
	// Full compares everything. Without it a mailbox is taken for unchanged, and left alone, when both
	// sides have as many messages, the same next UID and the same modification sequence, as they do when
	// one new message has come to each.
	Full bool
	// Mailbox limits the run to one mailbox, Exclude leaves mailboxes out.
	Mailbox string
	Exclude []string
	// Incremental asks for a state to hand over next time, in State; the
	// first time State is empty.
	Incremental bool
	State       string
	// LockTimeout is how many seconds to wait for another dsync of the same
	// user; 0 waits not at all.
	LockTimeout int
}

// SyncResult is the outcome of a dsync run.
type SyncResult struct {
	// State is for the next run, with Incremental.
	State string
	// Again says that something changed meanwhile and the run should be
	// repeated (exit code 2).
	Again bool
}

// Backup makes the destination the same as the user's mail, or with Reverse
// the user's mail the same as the destination. It keeps UIDs, UIDVALIDITY,
// GUIDs, flags, dates and subscriptions.
//
// What the target has besides is deleted. A source that does not exist would be taken for
// empty mail, and with Reverse delete all mail of the user: a path at the
// server is looked for first ([ErrNotFound]), what lies behind tcp: or imapc: is
// not. [Client.Sync] with OneWay deletes nothing. Where the target has another message, or none any
// more, under a UID of the source, Dovecot 2.3 and 2.4 delete the whole mailbox: the run ends with
// [ErrTemporary], and the next one makes it anew; an INBOX is left empty, with [ErrNotPossible] at
// every run. A backup is for a target into which nothing else is delivered.
//
// A destination is "maildir:/path" or another mail location, "tcp:host:port"
// or "tcps:host:port" (a doveadm listener with the same doveadm_password),
// "remote:login@host" (ssh) or "imapc:" (with the imapc settings in the
// configuration or the userdb).
func (c *Client) Backup(ctx context.Context, user, destination string, opts *SyncOptions) (SyncResult, error) {
	return c.dsync(ctx, "backup", user, destination, opts)
}

// Sync brings two stores of mail together, in both directions or, with OneWay,
// in one. See [Client.Backup] for destinations.
func (c *Client) Sync(ctx context.Context, user, destination string, opts *SyncOptions) (SyncResult, error) {
	return c.dsync(ctx, "sync", user, destination, opts)
}

func (c *Client) dsync(ctx context.Context, command, user, destination string, so *SyncOptions) (SyncResult, error) {
	if so == nil {
		so = &SyncOptions{}
	}
	p := Params{"destination": []string{destination}}
	o := userOp(command, user, "", p).repeatable()
	if !strings.Contains(destination, ":") {
		return SyncResult{}, o.refuse("destination %q has no type, such as maildir: or tcp:", destination)
	}
	if so.Reverse {
		p["reverseSync"] = true
	}
	if so.OneWay {
		if command != "sync" {
			return SyncResult{}, o.refuse("backup is one-way already")
		}
		p["onewaySync"] = true
	}
	if so.Full {
		p["fullSync"] = true
	}
	if so.Mailbox != "" {
		p["mailbox"] = so.Mailbox
	}
	if len(so.Exclude) > 0 {
		p["excludeMailbox"] = slices.Clone(so.Exclude)
	}
	if so.Incremental {
		p["state"] = so.State
	}
	if so.LockTimeout > 0 {
		p["lockTimeout"] = so.LockTimeout
	}
	if file := localPath(destination); so.Reverse && file != "" {
		found, err := c.stat(ctx, c.hosts[0], file)
		if err != nil {
			return SyncResult{}, err
		}
		if !found {
			return SyncResult{}, &Error{Op: command, User: user, Subject: file, Host: c.hosts[0].name, Kind: ErrNotFound}
		}
	}
	rows, err := c.rows(ctx, o)
	if e, ok := errors.AsType[*Error](err); ok && e.ExitCode == 2 {
		return SyncResult{Again: true}, nil
	}
	if err != nil {
		return SyncResult{}, err
	}
	var res SyncResult
	if so.Incremental {
		if len(rows) == 0 || rows[0]["state"] == "" {
			return SyncResult{}, c.malformed(o, fmt.Errorf("no state in the answer"))
		}
		res.State = rows[0]["state"]
	}
	return res, nil
}

// localPath is the directory of a destination on the server's own disk, "" for
// another one, or one that begins at the home.
func localPath(destination string) string {
	driver, rest, _ := strings.Cut(destination, ":")
	dir, _, _ := strings.Cut(rest, ":")
	if !slices.Contains([]string{"maildir", "mdbox", "sdbox", "dbox", "mbox"}, driver) || !path.IsAbs(dir) {
		return ""
	}
	return path.Clean(dir)
}
