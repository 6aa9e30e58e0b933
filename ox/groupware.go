package ox

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/ictmedia/schoolmail"
)

// Groupware is the installation as the planner and Apply see it: it implements
// [schoolmail.Groupware] and reads what there is with [Groupware.Observe].
//
// It remembers which users it has seen or made in each context. That memory only
// decides whether to look or to create first, and which primary addresses are
// free for a copy; it is never taken for the truth otherwise.
type Groupware struct {
	c      *Client
	admins map[schoolmail.ContextID]Credentials
	opt    GroupwareOptions

	mu    sync.Mutex
	known map[schoolmail.ContextID]*known
}

var (
	_ schoolmail.Groupware  = (*Groupware)(nil)
	_ schoolmail.CopyCloser = (*Groupware)(nil)
)

// GroupwareOptions are the settings of a [Groupware]. The zero value works.
type GroupwareOptions struct {
	// AdminMail gives the primary address of the administrator of a context that
	// is to be created; his login at "contextN.invalid" if nil. It receives no mail.
	AdminMail func(schoolmail.ContextSpec) string
	// AdminAccess is the access combination of new contexts' administrators; "all"
	// when empty, with which they can administer public folders.
	AdminAccess string
	// MaxQuota is the quota of new contexts in MB; 0 means [Unlimited].
	MaxQuota int64
	// Locales maps the language of a [schoolmail.UserSpec] to a locale of OX. By
	// default "de" is "de_DE", "fr" is "fr_FR", "it" is "it_IT" and "en" is "en_GB". Language and
	// time zone are set when a user is created and belong to him from then on.
	Locales map[string]string
	// TimeZone is the time zone of new users, for example "Europe/Zurich"; the
	// server's default when empty.
	TimeZone string
	// NewPassword makes the OX password of a new user. By default it is random and
	// told to nobody: people log in by the directory.
	NewPassword func(username string) (schoolmail.Secret, error)
	// IDsFromGroup makes Observe take the ids of a context's users from its
	// default group, which halves what is read. Users who are not in it are then
	// overlooked: copies that were never completed.
	IDsFromGroup bool
	// Reader reads the users of a context by another way than SOAP; the HTTP API
	// (appsuite.PlaceReader) does it with a hundredth of the bytes in large contexts.
	// Nil means SOAP.
	Reader PlaceReader
	// ReadEither makes Observe read a context by SOAP that Reader cannot read; the
	// Observer is told why ([FellBack]).
	ReadEither bool
	// Contents reads what users own, for VerifyCopy; nil: nothing is compared but the
	// account.
	Contents ContentReader
	// Observer is told of contexts that are read by SOAP instead, and of each copy that
	// VerifyCopy has found complete; may be nil. It is called from several goroutines.
	Observer Observer
	// MailOff lists the login names in a context that may have mail switched off,
	// for example the accounts that the directory calls deactivated. Only a Reader
	// needs it: the HTTP API does not tell who may use mail, so these users are
	// read by SOAP as well, and all others count as having it.
	MailOff func(schoolmail.ContextID) []string
}

// PlaceReader reads all users of a context, the administrator included.
type PlaceReader interface {
	Places(ctx context.Context, id schoolmail.ContextID) iter.Seq2[schoolmail.Place, error]
}

// known is what was seen in a context.
type known struct {
	complete bool                // all users were read
	places   []schoolmail.Place  // who was read, until somebody asks: most runs ask nothing
	names    map[string]bool     // login names
	mails    map[string]struct{} // primary addresses, lower case
}

// NewGroupware returns the installation behind a client. admins are the
// administrators of all contexts that will be worked on, those to be created
// included: a new context gets this login and password.
func NewGroupware(c *Client, admins map[schoolmail.ContextID]Credentials, opts *GroupwareOptions) *Groupware {
	g := &Groupware{c: c, admins: make(map[schoolmail.ContextID]Credentials), known: make(map[schoolmail.ContextID]*known)}
	for id, a := range admins {
		g.admins[id] = a
	}
	if opts != nil {
		g.opt = *opts
	}
	if g.opt.AdminAccess == "" {
		g.opt.AdminAccess = "all"
	}
	if g.opt.AdminMail == nil {
		g.opt.AdminMail = func(s schoolmail.ContextSpec) string {
			return fmt.Sprintf("%s@context%d.invalid", g.admins[s.ID].Login, s.ID)
		}
	}
	if g.opt.NewPassword == nil {
		g.opt.NewPassword = func(string) (schoolmail.Secret, error) { return schoolmail.Secret(rand.Text()), nil }
	}
	return g
}

// Client returns the client behind it.
func (g *Groupware) Client() *Client { return g.c }

// context returns the client of a context.
func (g *Groupware) context(op string, id schoolmail.ContextID) (*ContextClient, error) {
	admin, ok := g.admins[id]
	if !ok {
		return nil, &Error{Op: op, Context: id, Kind: ErrCredentials,
			Message: "no administrator is configured for this context", NotDone: true}
	}
	return g.c.Context(id, admin), nil
}

// EnsureContext creates the context unless it exists; an existing one is left
// as it is.
func (g *Groupware) EnsureContext(ctx context.Context, spec schoolmail.ContextSpec) error {
	if _, err := g.context("ensure context", spec.ID); err != nil {
		return err
	}
	exists, err := g.c.Contexts.Exists(ctx, spec.ID)
	if err != nil || exists {
		return err
	}
	admin := g.admins[spec.ID]
	_, err = g.c.Contexts.Create(ctx, NewContext{
		ID: spec.ID, Name: spec.Name, MaxQuota: g.opt.MaxQuota,
		Admin: NewUser{
			Name: admin.Login, Password: admin.Password, DisplayName: admin.Login,
			GivenName: "Context", FamilyName: "Administrator",
			PrimaryEmail: g.opt.AdminMail(spec), AccessName: g.opt.AdminAccess,
		},
	})
	if is(err, ErrContextExists) {
		return nil
	}
	return err
}

func placeOf(id schoolmail.ContextID, u User) schoolmail.Place {
	return schoolmail.Place{
		Context: id, UserID: u.ID, Username: u.Name, Mail: u.PrimaryEmail, DisplayName: u.DisplayName,
		GivenName: u.GivenName, FamilyName: u.FamilyName, MailEnabled: u.MailEnabled, Admin: u.ContextAdmin,
	}
}

// User looks a user up by login name; [schoolmail.ErrNotFound] if there is none.
func (g *Groupware) User(ctx context.Context, c schoolmail.ContextID, username string) (schoolmail.Place, error) {
	cc, err := g.context("read user", c)
	if err != nil {
		return schoolmail.Place{}, err
	}
	u, err := cc.Users.Get(ctx, UserRef{Name: username})
	if err != nil {
		return schoolmail.Place{}, err
	}
	return placeOf(c, u), nil
}

// EnsureUser creates or changes the user. A user it has not seen yet is created
// straight away, which is one request; if he exists after all, or has been seen,
// he is read, and written only where he differs. A user's choice of default
// sender, language and time zone stays his. A display name or address that
// somebody else has is an error.
func (g *Groupware) EnsureUser(ctx context.Context, c schoolmail.ContextID,
	spec schoolmail.UserSpec) (schoolmail.Place, error) {
	cc, err := g.context("ensure user", c)
	if err != nil {
		return schoolmail.Place{}, err
	}
	if u, err := g.former(ctx, cc, spec); err != nil {
		return schoolmail.Place{}, err
	} else if u != nil {
		if err := g.bring(ctx, cc, *u, spec); err != nil {
			return schoolmail.Place{}, err
		}
		p := place(c, u.ID, spec)
		g.forget(c, u.Name, u.PrimaryEmail)
		g.remember(p)
		return p, nil
	}
	var createErr error
	if !g.seen(c, spec.Username) {
		var p schoolmail.Place
		if p, createErr = g.create(ctx, cc, spec); !is(createErr, userMayExist...) {
			return p, createErr
		}
	}
	u, err := cc.Users.Get(ctx, UserRef{Name: spec.Username})
	switch {
	case is(err, ErrNoSuchUser) && createErr != nil:
		return schoolmail.Place{}, createErr // somebody else has the display name
	case is(err, ErrNoSuchUser):
		return g.create(ctx, cc, spec)
	case err != nil:
		return schoolmail.Place{}, err
	}
	if u.ContextAdmin {
		return schoolmail.Place{}, &Error{Op: "ensure user", Context: c, Subject: spec.Username, Kind: ErrNotTheSame,
			Message: "this is the context's administrator", NotDone: true}
	}
	if err := g.bring(ctx, cc, u, spec); err != nil {
		return schoolmail.Place{}, err
	}
	p := place(c, u.ID, spec)
	g.forget(c, u.Name, u.PrimaryEmail)
	g.remember(p)
	return p, nil
}

// former returns the user of a spec who still has a former login name; nil if there is
// none, or the user has the new one already.
func (g *Groupware) former(ctx context.Context, cc *ContextClient, spec schoolmail.UserSpec) (*User, error) {
	if len(spec.Former) == 0 {
		return nil, nil
	}
	if _, err := cc.Users.Get(ctx, UserRef{Name: spec.Username}); !is(err, ErrNoSuchUser) {
		return nil, err
	}
	for _, name := range spec.Former {
		u, err := cc.Users.Get(ctx, UserRef{Name: name})
		switch {
		case is(err, ErrNoSuchUser):
			continue
		case err != nil:
			return nil, err
		case u.ContextAdmin:
			return nil, &Error{Op: "ensure user", Context: cc.id, Subject: name, Kind: ErrNotTheSame,
				Message: "this is the context's administrator", NotDone: true}
		}
		return &u, nil
	}
	return nil, nil
}

// CanRename reports whether Open-Xchange lets one change login names, which it does not
// unless its administrator has set USERNAME_CHANGEABLE. There is no request that tells:
// a user is asked to take the login name of the context's administrator, which is refused
// either way, and nothing is changed. p is any ordinary user.
func (g *Groupware) CanRename(ctx context.Context, p schoolmail.Place) (bool, error) {
	cc, err := g.context("ask for new login names", p.Context)
	if err != nil {
		return false, err
	}
	taken := g.admins[p.Context].Login
	if p.UserID <= 0 || p.Username == taken {
		return false, &Error{Op: "ask for new login names", Context: p.Context, Kind: ErrInvalidData,
			Message: "an ordinary user is needed", NotDone: true}
	}
	err = cc.Users.Change(ctx, UserRef{ID: p.UserID}, UserChange{Name: &taken})
	switch {
	case is(err, ErrUserExists):
		return true, nil
	case is(err, ErrUnchangeable):
		return false, nil
	case err == nil:
		return false, &Error{Op: "ask for new login names", Context: p.Context, Kind: ErrNotTheSame,
			Message: "a login name was taken twice"}
	}
	return false, err
}

// place is where a user is who is as the spec says.
func place(c schoolmail.ContextID, id schoolmail.UserID, spec schoolmail.UserSpec) schoolmail.Place {
	return schoolmail.Place{
		Context: c, UserID: id, Username: spec.Username, Mail: spec.Mail, DisplayName: spec.DisplayName,
		GivenName: spec.GivenName, FamilyName: spec.FamilyName, MailEnabled: spec.MailEnabled,
	}
}

func (g *Groupware) create(ctx context.Context, cc *ContextClient, spec schoolmail.UserSpec) (schoolmail.Place, error) {
	password, err := g.opt.NewPassword(spec.Username)
	if err != nil {
		return schoolmail.Place{}, &Error{Op: "create user", Context: cc.id, Subject: spec.Username, Kind: ErrInvalidData,
			Message: "no password could be made", Err: err, NotDone: true}
	}
	n := NewUser{
		Name: spec.Username, DisplayName: spec.DisplayName, GivenName: spec.GivenName, FamilyName: spec.FamilyName,
		PrimaryEmail: spec.Mail, Aliases: spec.Aliases, Password: password, AccessName: spec.Access,
		More: UserChange{Language: text(g.locale(spec.Language)), TimeZone: text(g.opt.TimeZone),
			MailEnabled: &spec.MailEnabled},
	}
	u, err := cc.Users.Create(ctx, n)
	if err != nil {
		return schoolmail.Place{}, err
	}
	p := place(cc.id, u.ID, spec)
	g.remember(p)
	return p, nil
}

// locale turns a language into what OX wants; "" leaves it to the server.
func (g *Groupware) locale(language string) string {
	if l, ok := g.opt.Locales[language]; ok {
		return l
	}
	switch {
	case strings.Contains(language, "_"):
		return language
	case language == "de":
		return "de_DE"
	case language == "fr":
		return "fr_FR"
	case language == "it":
		return "it_IT"
	case language == "en":
		return "en_GB"
	}
	return ""
}

// bring writes what differs between a user and a spec.
func (g *Groupware) bring(ctx context.Context, cc *ContextClient, u User, spec schoolmail.UserSpec) error {
	ch := UserChange{DisplayName: &spec.DisplayName, GivenName: &spec.GivenName, FamilyName: &spec.FamilyName,
		MailEnabled: &spec.MailEnabled}
	ch.SetAddresses(spec.Mail, spec.Aliases...)
	if !strings.EqualFold(u.DefaultSender, u.PrimaryEmail) && containsFold(ch.Aliases, u.DefaultSender) {
		ch.DefaultSender = &u.DefaultSender
	}
	if u.PrimaryEmail == spec.Mail && containsFold(ch.Aliases, u.Email1) {
		ch.Email1 = &u.Email1
	}
	if len(spec.Former) > 0 && u.Name != spec.Username {
		ch.Name = &spec.Username
	}
	byMail := u.PrimaryEmail != "" && strings.EqualFold(u.IMAPLogin, u.PrimaryEmail)
	if byMail && !strings.EqualFold(u.IMAPLogin, spec.Mail) {
		ch.IMAPLogin = &spec.Mail // where the log-in at the mail server is the address
	}
	if ch = ch.Minus(u); !ch.IsZero() {
		if err := cc.Users.Change(ctx, UserRef{ID: u.ID, Name: u.Name}, ch); err != nil {
			return err
		}
	}
	return ensureAccess(ctx, cc, UserRef{ID: u.ID, Name: u.Name}, spec.Access)
}

// ensureAccess gives a user a named combination unless he has it. Some
// combinations hold a flag that ordinary users cannot have, so a user who got one
// has no combination by name; then the flags are compared.
func ensureAccess(ctx context.Context, cc *ContextClient, ref UserRef, name string) error {
	if name == "" {
		return nil
	}
	have, err := cc.Users.AccessName(ctx, ref)
	if err != nil || have == name {
		return err
	}
	if want, ok := NamedAccess(name); ok && want.Has(AccessPublicFolderEditable) {
		flags, err := cc.Users.Access(ctx, ref)
		if err != nil || sameForUser(flags, want) {
			return err
		}
	}
	return cc.Users.SetAccessName(ctx, ref, name)
}

// CopyUser copies a user into another context and completes the copy: access by
// name, which also opens the global address book for him, membership in the
// default group, and mail switched off if the spec says so. If that fails after
// the copy, the error comes with the place of the incomplete copy. A user of that
// login name who is in the target already is [ErrUserExists].
func (g *Groupware) CopyUser(ctx context.Context, username string, from, to schoolmail.ContextID,
	spec schoolmail.UserSpec) (schoolmail.Place, error) {
	source, err := g.context("copy user", from)
	if err != nil {
		return schoolmail.Place{}, err
	}
	target, err := g.context("copy user", to)
	if err != nil {
		return schoolmail.Place{}, err
	}
	opt := &CopyOptions{}
	if g.complete(to) {
		opt.AddressFree = func(_ context.Context, address string) (bool, error) { return !g.mailKnown(to, address), nil }
	}
	id, err := g.c.CopyUser(ctx, username, source, target, opt)
	if err != nil {
		return schoolmail.Place{}, err
	}
	ref := UserRef{ID: id, Name: username}
	p := schoolmail.Place{Context: to, UserID: id, Username: username}
	if spec.Access != "" {
		if err := target.Users.SetAccessName(ctx, ref, spec.Access); err != nil {
			return p, err
		}
	}
	if err := target.Groups.AddMembers(ctx, GroupRef{ID: DefaultGroup}, id); err != nil {
		return p, err
	}
	if !spec.MailEnabled {
		if err := target.Users.Change(ctx, ref, UserChange{MailEnabled: new(false)}); err != nil {
			return p, err
		}
	}
	u, err := target.Users.Get(ctx, UserRef{ID: id})
	if err != nil {
		return p, err
	}
	p = placeOf(to, u)
	g.remember(p)
	return p, nil
}

// DeleteUser removes the user with this id and login name; what he shared goes to
// the context's administrator. Gone already is success; another login name under
// the id is [ErrNotTheSame], which matches [schoolmail.ErrConflict].
func (g *Groupware) DeleteUser(ctx context.Context, p schoolmail.Place) error {
	cc, err := g.context("delete user", p.Context)
	if err != nil {
		return err
	}
	k := call{name: "delete user", context: p.Context, subject: p.Username}
	if p.UserID <= 0 || p.Username == "" {
		return k.invalid(errors.New("both id and login name are needed"))
	}
	ref := UserRef{ID: p.UserID}
	u, err := cc.Users.Get(ctx, ref)
	switch {
	case is(err, ErrNoSuchUser):
		g.forget(p.Context, p.Username, p.Mail)
		return nil
	case err != nil:
		return err
	case u.Name != p.Username || u.ContextAdmin:
		return &Error{Op: k.name, Context: p.Context, Subject: p.Username, Kind: ErrNotTheSame,
			Message: fmt.Sprintf("id %d belongs to %q", p.UserID, u.Name), NotDone: true}
	}
	if err := cc.Users.Delete(ctx, Reassign{}, ref); err != nil {
		return err
	}
	g.forget(p.Context, u.Name, u.PrimaryEmail)
	return nil
}

// tell passes an event on.
func (g *Groupware) tell(e Event) {
	if g.opt.Observer != nil {
		g.opt.Observer.Observe(e)
	}
}
