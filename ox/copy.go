package ox

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
)

// CopyOptions are the settings of [Client.CopyUser].
type CopyOptions struct {
	// AddressFree tells whether a primary address is free in the target context. OX
	// itself does not look, and a copy with a taken address leaves two users with
	// the same one. If nil, the copy asks OX by [Users.IDs] for the address as alias
	// domain, where the server answers that, and reads all users of the target
	// otherwise.
	AddressFree func(ctx context.Context, address string) (bool, error)
}

// CopyUser copies a user with all data (settings, private folders, contacts,
// calendar, tasks, Drive files, mail accounts) from one context into another and
// returns the id there. The source stays as it is, and is not locked: keep its
// user from working meanwhile if the copy is to be exact. Afterwards the copy
// still needs
//
//   - module access, which opens the global address book ([Users.SetAccessName]),
//   - the default group ([Groups.AddMembers] of [DefaultGroup]) and other groups,
//   - MailEnabled=false, if the source had that: a copy can always use mail.
//
// Before the copy, CopyUser checks what OX does not: that the login name, display
// name and primary address are free in the target and that a quota there has room
// for what the source's own file store holds. Copies run one at a time in the whole installation, because two at once
// break each other on the server; that holds for all users of this Client, so
// see to it that no other program copies. OX retries a failing copy without
// limit: [Options].LongTimeout ends the wait, after which CopyUser looks whether
// the user has arrived.
func (c *Client) CopyUser(ctx context.Context, username string, from, to *ContextClient, opt *CopyOptions) (UserID, error) {
	k := call{name: "copy user", op: oxusercopy.OpCopyUser, context: to.id, source: from.id, subject: username, cred: c.master,
		req: &oxusercopy.CopyUser{
			User: &oxusercopy.User{Name: &username},
			Src:  &oxusercopy.Context{Id: number(from.id)},
			Dest: &oxusercopy.Context{Id: number(to.id)},
		}}
	if from.id == to.id {
		return 0, k.invalid(errors.New("source and target are the same context"))
	}
	if opt == nil {
		opt = &CopyOptions{}
	}
	if err := c.copyAvailable(ctx, &k); err != nil {
		return 0, err
	}
	source, err := from.Users.Get(ctx, UserRef{Name: username})
	if err != nil {
		return 0, err
	}
	if err := c.copyPreflight(ctx, &k, source, from, to, opt); err != nil {
		return 0, err
	}
	for try := 0; ; try++ {
		r, err := invoke[oxusercopy.CopyUserResponse](ctx, c, k)
		if err == nil && r.Return_ != nil && r.Return_.Id != nil {
			return UserID(*r.Return_.Id), nil
		}
		e, _ := errors.AsType[*Error](err)
		if err == nil {
			e = &Error{Op: k.name, Context: k.context, Subject: k.subject, Kind: ErrProtocol, Message: "no user in the answer"}
		}
		// The name was free a moment ago. Whoever has it now is the copy.
		if !e.Temporary() && e.Kind != ErrUserExists {
			return 0, e
		}
		got, lookErr := to.Users.Get(ctx, UserRef{Name: username})
		switch {
		case lookErr == nil && got.PrimaryEmail == source.PrimaryEmail && got.DisplayName == source.DisplayName:
			return got.ID, nil
		case lookErr != nil && !is(lookErr, ErrNoSuchUser):
			return 0, errors.Join(e, lookErr)
		case e.Kind != ErrCopyConflict, try >= c.opt.Retries:
			// A copy that has not arrived may still be at work on the server; a second
			// one would block the target context.
			return 0, e
		}
		if cause := sleep(ctx, min(time.Second<<min(try, 5), 30*time.Second)); cause != nil {
			return 0, k.canceled(cause, e)
		}
	}
}

// copyAvailable asks once whether the servers have the copy service, which is an
// extra package: without it the service's address is not found. Any other answer
// leaves the verdict to the copy itself.
func (c *Client) copyAvailable(ctx context.Context, k *call) error {
	c.copying.Lock()
	defer c.copying.Unlock()
	if c.hasCopy {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.servers.pick(k.context).client.Endpoint(oxusercopy.Service)+"?wsdl", nil)
	if err != nil {
		return k.invalid(err)
	}
	resp, err := c.opt.HTTPClient.Do(req)
	if err != nil {
		return nil
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return &Error{Op: k.name, Service: k.op.String(), Context: k.context, Subject: k.subject, Kind: ErrNoService, HTTPStatus: resp.StatusCode,
			Message: "the servers lack the packages open-xchange-admin-user-copy and open-xchange-admin-soap-usercopy", NotDone: true}
	}
	c.hasCopy = resp.StatusCode == http.StatusOK
	return nil
}

// copyPreflight checks what OX does not.
func (c *Client) copyPreflight(ctx context.Context, k *call, source User, from, to *ContextClient, opt *CopyOptions) error {
	refuse := func(kind Kind, message string) error {
		return &Error{Op: k.name, Context: k.context, Subject: k.subject, Kind: kind, Message: message, NotDone: true}
	}
	exists, err := to.Users.Exists(ctx, UserRef{Name: source.Name})
	if err != nil {
		return err
	}
	if exists {
		return refuse(ErrUserExists, "login name is taken in the target context")
	}
	if exists, err = to.Users.DisplayNameExists(ctx, source.DisplayName); err != nil {
		return err
	}
	if exists {
		return refuse(ErrDisplayNameUsed, "display name is taken in the target context")
	}
	free := opt.AddressFree
	if free == nil {
		free = func(ctx context.Context, address string) (bool, error) {
			return addressFree(ctx, address, source, from, to)
		}
	}
	ok, err := free(ctx, source.PrimaryEmail)
	if err != nil {
		return err
	}
	if !ok {
		return refuse(ErrAddressUsed, "primary address is taken in the target context")
	}
	if source.UsedQuota > 0 {
		target, err := c.Contexts.Get(ctx, to.id)
		if err != nil {
			return err
		}
		if target.MaxQuota >= 0 && target.UsedQuota+source.UsedQuota > target.MaxQuota {
			return refuse(ErrStorage, fmt.Sprintf("quota: %d MB used of %d MB in the target context, %d MB to copy",
				target.UsedQuota, target.MaxQuota, source.UsedQuota))
		}
	}
	return nil
}

// addressFree looks for a primary address in the target. Servers match the alias
// domain against the end of each address, so a whole address finds its owner;
// whether this one does is tried on the source, who has it.
func addressFree(ctx context.Context, address string, source User, from, to *ContextClient) (bool, error) {
	found, err := Collect(from.Users.IDs(ctx, &UserQuery{AliasDomain: address}))
	if err != nil {
		return false, err
	}
	candidates := to.Users.All(ctx, nil)
	if slices.Contains(found, source.ID) {
		ids, err := Collect(to.Users.IDs(ctx, &UserQuery{AliasDomain: address}))
		if err != nil {
			return false, err
		}
		candidates = to.Users.Load(ctx, ids)
	}
	for u, err := range candidates {
		if err != nil {
			return false, err
		}
		if strings.EqualFold(u.PrimaryEmail, address) {
			return false, nil
		}
	}
	return true, nil
}

// copyIgnores are the fields in which a copy may differ from its source, with
// the reason.
var copyIgnores = map[string]string{
	"ID":              "ids are new in the target context",
	"ContextAdmin":    "a copied administrator becomes an ordinary user",
	"MailEnabled":     "becomes true in the copy, and is set afterwards",
	"GUIPreferences":  "settings of the web interface are not copied",
	"FilestoreID":     "a file store belongs to the target context",
	"FilestoreName":   "a file store belongs to the target context",
	"MaxQuota":        "belongs to the file store",
	"UsedQuota":       "belongs to the file store",
	"PasswordExpired": "is counted anew",
}

// CopyDifferences lists in which fields a copy is not what its source is,
// leaving out those in which it cannot be. It says nothing about the data in the
// modules, which the provisioning API does not show.
func CopyDifferences(source, target User) []string {
	var out []string
	a, b := reflect.ValueOf(source), reflect.ValueOf(target)
	for i := range a.NumField() {
		name := a.Type().Field(i).Name
		if copyIgnores[name] != "" || name == "Aliases" {
			continue
		}
		x, y := a.Field(i), b.Field(i)
		if (x.Kind() == reflect.Map || x.Kind() == reflect.Slice) && x.Len() == 0 && y.Len() == 0 {
			continue
		}
		if !reflect.DeepEqual(x.Interface(), y.Interface()) {
			out = append(out, name)
		}
	}
	if !sameSet(source.Aliases, target.Aliases) {
		out = append(out, "Aliases")
	}
	return out
}
