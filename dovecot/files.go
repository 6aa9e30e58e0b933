package dovecot

import (
	"context"
	"errors"
	"path"
	"strings"
)

// DeleteHome deletes a home directory with all mail in it, at every host, and
// reports whether it was there. It is the last step of removing a user, as
// doveadm has no command for that: lock the account, [Client.FlushAuthCache],
// [Client.Kick], then this. It does not ask whether the user still exists.
//
// The path must be clean, absolute and below Options.MailRoot; the server
// itself would delete any path it is given, as root.
func (c *Client) DeleteHome(ctx context.Context, home string) (bool, error) {
	if err := c.checkHome(home); err != nil {
		return false, refuse("fsDelete", "", home, "%w", err)
	}
	del := op{call: Call{"fsDelete", Params{
		"fsDriver": "posix", "fsArgs": "dirs", "recursive": true, "maxParallel": 1, "path": []string{home},
	}}, subject: home, again: true}
	var deleted bool
	errs := make([]error, len(c.hosts))
	for i, h := range c.hosts {
		// A path that is gone answers 75, as any other failure does: look
		// before and after. Hosts may share the storage.
		found, err := c.stat(ctx, h, home)
		if err != nil || !found {
			errs[i] = err
			continue
		}
		_, err = c.run(ctx, h, del)
		found, serr := c.stat(ctx, h, home)
		switch {
		case serr != nil:
			errs[i] = serr
		case found && err != nil:
			errs[i] = err
		case found:
			errs[i] = &Error{Op: "fsDelete", Subject: home, Host: h.name, Kind: ErrIncomplete, again: true}
		default:
			deleted = true
		}
	}
	return deleted, join(errs)
}

func (c *Client) checkHome(home string) error {
	root := c.mailRoot
	switch {
	case root == "":
		return errors.New("Options.MailRoot is not set")
	case !path.IsAbs(root) || path.Clean(root) == "/":
		return errors.New("Options.MailRoot is not an absolute path below /")
	case path.Clean(home) != home || !strings.HasPrefix(home, path.Clean(root)+"/"):
		return errors.New("not a clean path below Options.MailRoot")
	}
	return nil
}

// stat reports whether a path exists at a host.
func (c *Client) stat(ctx context.Context, h *host, p string) (bool, error) {
	o := op{call: Call{"fsStat", Params{"fsDriver": "posix", "fsArgs": "", "path": p}}, subject: p, again: true}
	_, err := c.run(ctx, h, o)
	if isKind(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
