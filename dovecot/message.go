package dovecot

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// MessageRef is one message that a search found.
type MessageRef struct {
	MailboxGUID string
	UID         uint32
}

// Search finds messages by an IMAP search query as doveadm-search-query(7)
// changes it, one word per argument: "mailbox", "INBOX", "SUBJECT", "exam".
// OR stands between terms, and takes all terms on its level: put it and what
// belongs to it in parentheses, "(", "SEEN", "OR", "UID", "7", ")".
// Without "mailbox" all mailboxes are searched; a mailbox named without
// wildcards that does not exist is [ErrNotFound]. Misspelled keys end the
// server process, seen here as [ErrUnknownOutcome].
func (c *Client) Search(ctx context.Context, user string, query ...string) ([]MessageRef, error) {
	o := userOp("search", user, "", Params{"query": query}).repeatable()
	if err := checkQuery(query); err != nil {
		return nil, o.refuse("%w", err)
	}
	rows, err := c.rows(ctx, o)
	if err != nil {
		return nil, err
	}
	hits := make([]MessageRef, len(rows))
	for i, r := range rows {
		hits[i].MailboxGUID = r["mailbox-guid"]
		if hits[i].UID, err = number[uint32](r, "uid"); err != nil {
			return nil, c.malformed(o, err)
		}
	}
	return hits, nil
}

// Fetch returns fields of the messages that a query finds. Useful fields are
// "uid", "guid", "flags", "mailbox", "mailbox-guid", "date.received.unixtime",
// "size.virtual" and "hdr.subject". Do not copy mail with "text" or "body":
// line ends and every byte that is not UTF-8 are changed on the way. Unknown
// fields end the server process.
func (c *Client) Fetch(ctx context.Context, user string, fields []string, query ...string) ([]ResultRow, error) {
	o := userOp("fetch", user, "", Params{"field": fields, "query": query}).repeatable()
	if err := checkQuery(query); err != nil {
		return nil, o.refuse("%w", err)
	}
	if len(fields) == 0 {
		return nil, o.refuse("no fields given")
	}
	return c.rows(ctx, o)
}

// Expunge removes for good the messages of one mailbox that a query finds:
// "ALL", or for instance "SAVEDBEFORE", "30d". That none is found is no error.
// The mailbox is addressed by its GUID, so that a name with wildcards is taken
// literally.
func (c *Client) Expunge(ctx context.Context, user, mailbox string, query ...string) error {
	o := userOp("expunge", user, mailbox, nil)
	if err := checkQuery(query); err != nil {
		return o.refuse("%w", err)
	}
	m, err := c.mailbox(ctx, user, mailbox)
	if err != nil {
		return err
	}
	// In parentheses, since OR takes everything on its level.
	o.call.Params["query"] = slices.Concat([]string{"mailbox-guid", m.GUID, "("}, query, []string{")"})
	return c.exec(ctx, o)
}

// mailbox returns the status of exactly one mailbox.
func (c *Client) mailbox(ctx context.Context, user, name string) (MailboxStatus, error) {
	if err := checkMailbox(name); err != nil {
		return MailboxStatus{}, refuse("mailboxStatus", user, name, "%w", err)
	}
	list, err := c.Status(ctx, user, name)
	if err != nil {
		return MailboxStatus{}, err
	}
	for _, m := range list {
		if m.Mailbox == name || isInbox(m.Mailbox) && isInbox(name) {
			return m, nil
		}
	}
	return MailboxStatus{}, &Error{Op: "mailboxStatus", User: user, Subject: name, Host: c.hosts[0].name,
		Kind: ErrNotFound, again: true}
}

// AddFlags sets flags and keywords ("\\Seen", "$Label1") on the messages that
// a query finds.
func (c *Client) AddFlags(ctx context.Context, user string, flags []string, query ...string) error {
	return c.flags(ctx, "flagsAdd", user, flags, query)
}

// RemoveFlags takes flags and keywords away.
func (c *Client) RemoveFlags(ctx context.Context, user string, flags []string, query ...string) error {
	return c.flags(ctx, "flagsRemove", user, flags, query)
}

func (c *Client) flags(ctx context.Context, command, user string, flags, query []string) error {
	o := userOp(command, user, "", Params{"flag": flags, "query": query}).repeatable()
	if err := checkQuery(query); err != nil {
		return o.refuse("%w", err)
	}
	if len(flags) == 0 {
		return o.refuse("no flags given")
	}
	return c.exec(ctx, o)
}

// Save appends a message to a mailbox, without flags and dated now. It is for
// short notices: only UTF-8 text without NUL arrives as it was; use IMAP for
// mail. A full mailbox is [ErrOverQuota], a missing one [ErrNotFound].
func (c *Client) Save(ctx context.Context, user, mailbox, message string) error {
	o := userOp("save", user, mailbox, Params{"mailbox": mailbox, "file": message})
	if err := checkMailbox(mailbox); err != nil {
		return o.refuse("%w", err)
	}
	if message == "" {
		return o.refuse("empty message")
	}
	return c.exec(ctx, o)
}

// Copy copies the messages that a query finds in the mail of one user to a
// mailbox of another (or the same), with flags and dates. When the target is
// over quota, Dovecot 2.3.19 copies everything nevertheless and ends without an
// answer: [ErrUnknownOutcome].
func (c *Client) Copy(ctx context.Context, user, mailbox, fromUser string, query ...string) error {
	return c.copyOrMove(ctx, "copy", user, mailbox, fromUser, query)
}

// Move is Copy that then removes the messages at the source. It asks no quota.
func (c *Client) Move(ctx context.Context, user, mailbox, fromUser string, query ...string) error {
	return c.copyOrMove(ctx, "move", user, mailbox, fromUser, query)
}

func (c *Client) copyOrMove(ctx context.Context, command, user, mailbox, fromUser string, query []string) error {
	o := userOp(command, user, mailbox, Params{"destinationMailbox": mailbox, "query": query})
	if err := checkQuery(query); err != nil {
		return o.refuse("%w", err)
	}
	if err := checkMailbox(mailbox); err != nil {
		return o.refuse("%w", err)
	}
	if fromUser != "" && fromUser != user {
		if err := checkUser(fromUser); err != nil {
			return o.refuse("source: %w", err)
		}
		info, err := c.Server(ctx)
		if err != nil {
			return err
		}
		if _, ok := info.Commands[command]["sourceType"]; ok { // gone in 2.4
			o.call.Params["sourceType"] = "user"
		}
		o.call.Params["sourceUser"] = fromUser
	}
	return c.exec(ctx, o)
}

// checkQuery finds the mistakes that would end the server process: no query,
// or several words in one argument.
func checkQuery(query []string) error {
	if len(query) == 0 {
		return fmt.Errorf("empty query; use ALL")
	}
	if len(query) == 1 && strings.Contains(strings.TrimSpace(query[0]), " ") {
		return fmt.Errorf("query %q is one argument; give each word as an argument of its own", query[0])
	}
	return nil
}
