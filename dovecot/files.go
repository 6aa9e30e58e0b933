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
// Dovecot 2.4 needs a line "fs posix { }" in its configuration for it.
//
// The path must be clean, absolute and below Options.MailRoot; the server
// itself would delete any path it is given, as root.
func (c *Client) DeleteHome(ctx context.Context, home string) (bool, error) {
	if err := c.checkHome(home); err != nil {
		return false, refuse("fsDelete", "", home, "%w", err)
	}
	p, err := c.posix(ctx, "fsDelete", "dirs")
	if err != nil {
		return false, err
	}
	p["recursive"], p["maxParallel"], p["path"] = true, 1, []string{home}
	del := op{call: Call{"fsDelete", p}, subject: home, again: true}
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

// posix are the parameters that make a command work on plain files: 2.3 takes a driver
// and its arguments, 2.4 the name of a filter, under which it looks for the settings.
func (c *Client) posix(ctx context.Context, command, args string) (Params, error) {
	info, err := c.Server(ctx)
	if err != nil {
		return nil, err
	}
	if _, ok := info.Commands[command]["filterName"]; ok {
		return Params{"filterName": "posix"}, nil
	}
	return Params{"fsDriver": "posix", "fsArgs": args}, nil
}

// stat reports whether a path exists at a host.
func (c *Client) stat(ctx context.Context, h *host, p string) (bool, error) {
	params, err := c.posix(ctx, "fsStat", "")
	if err != nil {
		return false, err
	}
	params["path"] = p
	_, err = c.run(ctx, h, op{call: Call{"fsStat", params}, subject: p, again: true})
	if isKind(err, ErrNotFound) {
		return false, nil
	}
	return err == nil, err
}
