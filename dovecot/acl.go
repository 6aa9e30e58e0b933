package dovecot

import (
	"context"
	"slices"
	"strings"
)

// ACLEntry gives rights on a mailbox to somebody.
type ACLEntry struct {
	// ID is "user=NAME", "group=NAME", "owner", "anyone", "authenticated" or
	// "group-override=NAME"; with a leading "-" the rights are taken away.
	ID string
	// Rights are doveadm's words: lookup read write write-seen write-deleted
	// insert post expunge create delete admin.
	Rights []string
	// Global is true for an entry from the server's global ACL file.
	Global bool
}

var aclRights = []string{"lookup", "read", "write", "write-seen", "write-deleted", "insert", "post", "expunge",
	"create", "delete", "admin"}

// ACL returns the entries of a mailbox; the owner's own rights, which need no
// entry, are not among them. Without the acl plugin the server does not know
// the command: [ErrUnsupported].
func (c *Client) ACL(ctx context.Context, user, mailbox string) ([]ACLEntry, error) {
	o := userOp("aclGet", user, mailbox, Params{"mailbox": mailbox}).repeatable()
	if err := checkMailbox(mailbox); err != nil {
		return nil, o.refuse("%w", err)
	}
	rows, err := c.rows(ctx, o)
	if err != nil {
		return nil, err
	}
	list := make([]ACLEntry, len(rows))
	for i, r := range rows {
		list[i] = ACLEntry{ID: r["id"], Rights: strings.Fields(r["rights"]), Global: r["global"] != ""}
	}
	return list, nil
}

// Rights returns the user's own effective rights on a mailbox.
func (c *Client) Rights(ctx context.Context, user, mailbox string) ([]string, error) {
	o := userOp("aclRights", user, mailbox, Params{"mailbox": mailbox}).repeatable()
	if err := checkMailbox(mailbox); err != nil {
		return nil, o.refuse("%w", err)
	}
	rows, err := c.rows(ctx, o)
	if err != nil || len(rows) == 0 {
		return nil, err
	}
	return strings.Fields(rows[0]["rights"]), nil
}

// SetACL replaces the rights of an identifier. The server reports success even
// when it could not record the share in acl_shared_dict.
func (c *Client) SetACL(ctx context.Context, user, mailbox, id string, rights ...string) error {
	return c.aclChange(ctx, "aclSet", user, mailbox, id, rights)
}

// AddACL adds rights to an identifier.
func (c *Client) AddACL(ctx context.Context, user, mailbox, id string, rights ...string) error {
	return c.aclChange(ctx, "aclAdd", user, mailbox, id, rights)
}

// RemoveACL takes rights from an identifier.
func (c *Client) RemoveACL(ctx context.Context, user, mailbox, id string, rights ...string) error {
	return c.aclChange(ctx, "aclRemove", user, mailbox, id, rights)
}

// DeleteACL deletes the entry of an identifier; one that is not there is no
// error.
func (c *Client) DeleteACL(ctx context.Context, user, mailbox, id string) error {
	return c.aclChange(ctx, "aclDelete", user, mailbox, id, nil)
}

func (c *Client) aclChange(ctx context.Context, command, user, mailbox, id string, rights []string) error {
	o := userOp(command, user, mailbox, Params{"mailbox": mailbox, "id": id}).repeatable()
	if err := checkMailbox(mailbox); err != nil {
		return o.refuse("%w", err)
	}
	// Not every server answers a bad identifier or right with an error.
	if !isACLID(id) {
		return o.refuse("%q is not an ACL identifier", id)
	}
	if command != "aclDelete" {
		if len(rights) == 0 {
			return o.refuse("no rights given")
		}
		for _, r := range rights {
			if !slices.Contains(aclRights, r) {
				return o.refuse("%q is not a right; they are %s", r, strings.Join(aclRights, " "))
			}
		}
		o.call.Params["right"] = slices.Clone(rights)
	}
	return c.exec(ctx, o)
}

func isACLID(id string) bool {
	id = strings.TrimPrefix(id, "-")
	switch id {
	case "owner", "anyone", "authenticated":
		return true
	}
	for _, p := range []string{"user=", "group=", "group-override="} {
		if name, ok := strings.CutPrefix(id, p); ok {
			return name != ""
		}
	}
	return false
}
