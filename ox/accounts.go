package ox

import (
	"context"
	"errors"
	"iter"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
)

// Accounts are secondary mail accounts: mailboxes that users have besides their
// own, such as a school office's. They need OX 7.10.6.
type Accounts struct{ cc *ContextClient }

// AccountHolders are whose account it is. At least one; group 0 is everybody in
// the context.
type AccountHolders struct {
	Users  []schoolmail.UserID
	Groups []GroupID
}

func (h AccountHolders) to() (users []*oxsecaccount.User, groups []*oxsecaccount.Group, err error) {
	for _, id := range h.Users {
		users = append(users, &oxsecaccount.User{Id: new(int32Of(int(id)))})
	}
	for _, id := range h.Groups {
		groups = append(groups, &oxsecaccount.Group{Id: new(int32Of(int(id)))})
	}
	if len(users)+len(groups) == 0 {
		return nil, nil, errors.New("neither users nor groups given")
	}
	return users, groups, nil
}

// MailServer is one end of a mail account's transport. Zero fields are left out.
type MailServer struct {
	Login    string
	Password schoolmail.Secret
	Host     string
	Port     int
	Protocol string // "imap", "smtp"
	Secure   bool   // TLS from the beginning
	StartTLS bool
}

// AccountFolders are the full names of an account's special folders.
type AccountFolders struct {
	Archive, Drafts, Sent, Spam, Trash, ConfirmedSpam, ConfirmedHam string
}

// Account is a secondary mail account of a user. Passwords never come back.
type Account struct {
	ID             int
	User           schoolmail.UserID
	Name           string
	PrimaryAddress string
	Personal       string // name before the address
	ReplyTo        string
	Mail           MailServer
	Transport      MailServer
	Folders        AccountFolders
}

// EndpointSource says where a new account's server data come from.
type EndpointSource string

// The sources: given with the account, the same server as the user's primary
// account, or localhost.
const (
	EndpointGiven     EndpointSource = "none"
	EndpointPrimary   EndpointSource = "primary"
	EndpointLocalhost EndpointSource = "localhost"
)

// NewAccount is an account to be created.
type NewAccount struct {
	Account         // ID and User are ignored
	MailSource      EndpointSource
	TransportSource EndpointSource
}

// AccountChange is what to write to an account: nil leaves unchanged; so does an
// empty password.
type AccountChange struct {
	Name, Personal, ReplyTo                                                     *string
	Mail, Transport                                                             MailServerChange
	Archive, Drafts, Sent, Spam, Trash, ConfirmedSpamFolder, ConfirmedHamFolder *string
}

// MailServerChange is what to write to one end of an account's transport.
type MailServerChange struct {
	Login    *string
	Password schoolmail.Secret
	Host     *string
	Port     *int
	Protocol *string
	Secure   *bool
	StartTLS *bool
}

func accountFrom(g *oxsecaccount.Account) Account {
	return Account{
		ID: int(val(g.Id)), User: schoolmail.UserID(val(g.UserId)), Name: val(g.Name), PrimaryAddress: val(g.PrimaryAddress),
		Personal: val(g.Personal), ReplyTo: val(g.ReplyTo),
		Mail: MailServer{Login: val(g.Login), Host: val(g.MailServer), Port: int(val(g.MailPort)),
			Protocol: val(g.MailProtocol),
			Secure:   val(g.MailSecure), StartTLS: val(g.MailStartTls)},
		Transport: MailServer{Login: val(g.TransportLogin), Host: val(g.TransportServer), Port: int(val(g.TransportPort)),
			Protocol: val(g.TransportProtocol), Secure: val(g.TransportSecure), StartTLS: val(g.TransportStartTls)},
		Folders: AccountFolders{Archive: val(g.ArchiveFullname), Drafts: val(g.DraftsFullname), Sent: val(g.SentFullname),
			Spam: val(g.SpamFullname), Trash: val(g.TrashFullname), ConfirmedSpam: val(g.ConfirmedSpamFullname),
			ConfirmedHam: val(g.ConfirmedHamFullname)},
	}
}

func (n *NewAccount) to() *oxsecaccount.AccountDataOnCreate {
	out := &oxsecaccount.AccountDataOnCreate{
		Login: text(n.Mail.Login), Password: secretTo(n.Mail.Password), Name: text(n.Name),
		PrimaryAddress: text(n.PrimaryAddress),
		Personal:       text(n.Personal), ReplyTo: text(n.ReplyTo),
		MailEndpointSource: text(string(n.MailSource)), MailServer: text(n.Mail.Host), MailPort: number(n.Mail.Port),
		MailProtocol: text(n.Mail.Protocol), TransportLogin: text(n.Transport.Login),
		TransportPassword: secretTo(n.Transport.Password), TransportEndpointSource: text(string(n.TransportSource)),
		TransportServer: text(n.Transport.Host), TransportPort: number(n.Transport.Port),
		TransportProtocol: text(n.Transport.Protocol),
		ArchiveFullname:   text(n.Folders.Archive), DraftsFullname: text(n.Folders.Drafts),
		SentFullname: text(n.Folders.Sent),
		SpamFullname: text(n.Folders.Spam), TrashFullname: text(n.Folders.Trash),
		ConfirmedSpamFullname: text(n.Folders.ConfirmedSpam), ConfirmedHamFullname: text(n.Folders.ConfirmedHam),
	}
	if n.Mail.Host != "" {
		out.MailSecure, out.MailStartTls = &n.Mail.Secure, &n.Mail.StartTLS
	}
	if n.Transport.Host != "" {
		out.TransportSecure, out.TransportStartTls = &n.Transport.Secure, &n.Transport.StartTLS
	}
	return out
}

func (ch *AccountChange) to() *oxsecaccount.AccountDataUpdate {
	return &oxsecaccount.AccountDataUpdate{
		Login: ch.Mail.Login, Password: secretTo(ch.Mail.Password), Name: ch.Name, Personal: ch.Personal, ReplyTo: ch.ReplyTo,
		MailServer: ch.Mail.Host, MailPort: intTo(ch.Mail.Port), MailProtocol: ch.Mail.Protocol,
		MailSecure: ch.Mail.Secure, MailStartTls: ch.Mail.StartTLS,
		TransportLogin: ch.Transport.Login, TransportPassword: secretTo(ch.Transport.Password),
		TransportServer: ch.Transport.Host, TransportPort: intTo(ch.Transport.Port), TransportProtocol: ch.Transport.Protocol,
		TransportSecure: ch.Transport.Secure, TransportStartTls: ch.Transport.StartTLS,
		ArchiveFullname: ch.Archive, DraftsFullname: ch.Drafts, SentFullname: ch.Sent, SpamFullname: ch.Spam,
		TrashFullname:         ch.Trash,
		ConfirmedSpamFullname: ch.ConfirmedSpamFolder, ConfirmedHamFullname: ch.ConfirmedHamFolder,
	}
}

func (s *Accounts) call(name string, op *soap.Operation, subject string, req any) call {
	return call{name: name, op: op, context: s.cc.id, subject: subject, req: req, cred: s.cc.cred}
}

// Create gives an account to its holders. If the answer is lost, Create looks
// whether one of them has an account of this address and name before it tries
// again; that is then taken for the one just made.
func (s *Accounts) Create(ctx context.Context, n NewAccount, holders AccountHolders) error {
	k := s.call("create mail account", oxsecaccount.OpCreate, n.PrimaryAddress, nil)
	k.secrets = append(k.secrets, n.Mail.Password, n.Transport.Password)
	users, groups, err := holders.to()
	if err != nil {
		return k.invalid(err)
	}
	k.req = &oxsecaccount.Create{AccountDataOnCreate: n.to(), Users: users, Groups: groups}
	_, err = settle(ctx, s.cc.c, []Kind{ErrStorage, ErrInvalidData},
		func() (struct{}, error) { return struct{}{}, s.cc.c.do(ctx, &k) },
		func() (struct{}, sighting, error) {
			what := absent
			for a, err := range s.All(ctx, holders) {
				switch {
				case err != nil:
					return struct{}{}, absent, err
				case strings.EqualFold(a.PrimaryAddress, n.PrimaryAddress) && a.Name == n.Name:
					return struct{}{}, asWanted, nil
				case strings.EqualFold(a.PrimaryAddress, n.PrimaryAddress):
					what = different
				}
			}
			return struct{}{}, what, nil
		})
	return err
}

// All lists the secondary accounts of users and groups.
func (s *Accounts) All(ctx context.Context, of AccountHolders) iter.Seq2[Account, error] {
	k := s.call("list mail accounts", oxsecaccount.OpList, "", nil)
	return each(func() ([]Account, error) {
		users, groups, err := of.to()
		if err != nil {
			return nil, k.invalid(err)
		}
		k.req = &oxsecaccount.List{Users: users, Groups: groups}
		return stream(ctx, s.cc.c, k, accountFrom)
	})
}

// Change writes to the account with this primary address and reports whether
// something changed.
func (s *Accounts) Change(ctx context.Context, address string, ch AccountChange, of AccountHolders) (bool, error) {
	k := s.call("change mail account", oxsecaccount.OpUpdate, address, nil)
	k.secrets = append(k.secrets, ch.Mail.Password, ch.Transport.Password)
	users, groups, err := of.to()
	if err != nil {
		return false, k.invalid(err)
	}
	k.req = &oxsecaccount.Update{PrimaryAddress: &address, AccountDataUpdate: ch.to(), Users: users, Groups: groups}
	r, err := invoke[oxsecaccount.UpdateResponse](ctx, s.cc.c, k)
	if err != nil {
		return false, err
	}
	return val(r.Return_), nil
}

// Delete removes the account with this primary address and reports whether there
// was one.
func (s *Accounts) Delete(ctx context.Context, address string, of AccountHolders) (bool, error) {
	k := s.call("delete mail account", oxsecaccount.OpDelete, address, nil)
	users, groups, err := of.to()
	if err != nil {
		return false, k.invalid(err)
	}
	k.req = &oxsecaccount.Delete{PrimaryAddress: &address, Users: users, Groups: groups}
	r, err := invoke[oxsecaccount.DeleteResponse](ctx, s.cc.c, k)
	if err != nil {
		return false, err
	}
	return val(r.Return_), nil
}
