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

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/retry"
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
// for what the source's own file store holds. Copies run one at a time in the whole
// installation, as the server's own book-keeping is made for; that holds for all
// users of this Client, so see to it that no other program copies, or share a lock
// with it ([Options].CopyLock). Not every copy that fails is answered:
// [Options].LongTimeout ends the wait. Whenever the answer is lost, CopyUser looks
// for the user in the target for as long as [Options].CopyWait says, and nobody
// else is copied meanwhile, since the server may still be at work. An
// [ErrLostAnswer] after that means that he has not arrived.
func (c *Client) CopyUser(ctx context.Context, username string, from, to *ContextClient,
	opts *CopyOptions) (schoolmail.UserID, error) {
	k := call{name: "copy user", op: oxusercopy.OpCopyUser, context: to.id, source: from.id, subject: username,
		cred: c.master,
		req: &oxusercopy.CopyUser{
			User: &oxusercopy.User{Name: &username},
			Src:  &oxusercopy.Context{Id: number(from.id)},
			Dest: &oxusercopy.Context{Id: number(to.id)},
		}}
	if from.id == to.id {
		return 0, k.invalid(errors.New("source and target are the same context"))
	}
	if opts == nil {
		opts = &CopyOptions{}
	}
	if err := c.copyAvailable(ctx, &k); err != nil {
		return 0, err
	}
	release, err := c.copies.acquire(ctx, 0)
	if err != nil {
		return 0, k.canceled(err, nil)
	}
	defer release()
	if c.opt.CopyLock != nil {
		unlock, err := c.opt.CopyLock(ctx)
		if err != nil {
			return 0, k.notLocked(ctx, err)
		}
		defer unlock()
	}
	if _, err := c.settleDoubt(ctx); err != nil {
		return 0, k.canceled(err, nil)
	}
	// From here on nobody else is copied, so that what is free stays free.
	source, err := from.Users.Get(ctx, UserRef{Name: username})
	if err != nil {
		return 0, err
	}
	if err := c.copyPreflight(ctx, &k, source, from, to, opts); err != nil {
		return 0, err
	}
	var pause time.Duration
	for try := 0; ; try++ {
		r, err := invoke[oxusercopy.CopyUserResponse](ctx, c, k)
		if err == nil && r.Return_ != nil && r.Return_.Id != nil {
			return schoolmail.UserID(*r.Return_.Id), nil
		}
		e, _ := errors.AsType[*Error](err)
		if err == nil {
			e = &Error{Op: k.name, Context: k.context, Subject: k.subject, Kind: ErrProtocol, Message: "no user in the answer"}
		}
		switch {
		case e.unknown():
			c.doubt = &doubtfulCopy{source: source, to: to, until: time.Now().Add(c.opt.CopyWait)}
			arrived, err := c.settleDoubt(ctx)
			switch {
			case err != nil && e.Kind != ErrCanceled:
				return 0, k.canceled(err, e)
			case arrived != 0:
				return arrived, nil
			}
			return 0, e
		case e.Kind != ErrCopyConflict, try >= c.opt.Retries:
			return 0, e
		}
		pause = retry.Grow(pause, time.Second, 30*time.Second)
		if cause := retry.Sleep(ctx, pause); cause != nil {
			return 0, k.canceled(cause, e)
		}
	}
}

// notLocked is the error of a copy whose lock was not to be had.
func (k *call) notLocked(ctx context.Context, err error) *Error {
	if ctx.Err() != nil {
		return k.canceled(context.Cause(ctx), nil)
	}
	return &Error{Op: k.name, Context: k.context, Subject: k.subject, Kind: ErrCopyConflict,
		Message: "the lock for copies is not to be had", Err: err, NotDone: true}
}

// doubtfulCopy is a copy whose answer got lost: the server may have made it, may
// still be at work on it, or may never have heard of it.
type doubtfulCopy struct {
	source User
	to     *ContextClient
	until  time.Time
}

// settleDoubt waits until the copy in doubt, if there is one, has arrived, or has
// not for so long that it will not: copies are made one at a time. The error is the
// context's.
func (c *Client) settleDoubt(ctx context.Context) (arrived schoolmail.UserID, err error) {
	for pause := time.Second; c.doubt != nil; pause = retry.Grow(pause, time.Second, 15*time.Second) {
		d := c.doubt
		key := copyWait(int(d.to.id))
		got, err := d.to.Users.Get(ctx, UserRef{Name: d.source.Name})
		left := time.Until(d.until)
		switch {
		case err == nil && sameSet([]string{got.PrimaryEmail}, []string{d.source.PrimaryEmail}) &&
			got.DisplayName == d.source.DisplayName:
			c.doubt = nil
			c.waits.Free(key)
			return got.ID, nil
		case ctx.Err() != nil:
			return 0, context.Cause(ctx)
		case err == nil || left <= 0: // somebody else has the name, so that the copy will be refused
			c.doubt = nil
			c.waits.Free(key)
			return 0, nil
		}
		if err := c.waits.Pause(ctx, key, min(pause, left), c.opt.CopyWait); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// copyAvailable asks once whether the servers have the copy service, which is an
// extra package: without it the service's address is not found. Any other answer
// leaves the verdict to the copy itself.
func (c *Client) copyAvailable(ctx context.Context, k *call) error {
	if c.hasCopy.Load() {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, c.opt.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet,
		c.servers.pick(k.context).client.Endpoint(oxusercopy.Service)+"?wsdl", nil)
	if err != nil {
		return k.invalid(err)
	}
	resp, err := c.opt.HTTPClient.Do(req)
	if err != nil {
		return nil // the copy itself will say so
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusNotFound {
		return &Error{Op: k.name, Service: k.op.String(), Context: k.context, Subject: k.subject, Kind: ErrNoService,
			HTTPStatus: resp.StatusCode,
			Message:    "the servers lack the packages open-xchange-admin-user-copy and open-xchange-admin-soap-usercopy",
			NotDone:    true}
	}
	if resp.StatusCode == http.StatusOK {
		c.hasCopy.Store(true)
	}
	return nil
}

// copyPreflight checks what OX does not.
func (c *Client) copyPreflight(ctx context.Context, k *call, source User, from, to *ContextClient,
	opt *CopyOptions) error {
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
