package ox

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// Users are the users of one context. Writes of one context go to the server
// one after the other, whoever makes them through the same [Client].
type Users struct{ cc *ContextClient }

// call prepares an operation of OXUserService.
func (u *Users) call(name string, op *soap.Operation, subject string, req any) call {
	return call{name: name, op: op, context: u.cc.id, subject: subject, req: req, cred: u.cc.cred}
}

// run carries out a void operation.
func (u *Users) run(ctx context.Context, k call) error { return u.cc.c.do(ctx, &k) }

func (r UserRef) String() string {
	if r.Name != "" {
		return r.Name
	}
	return strconv.Itoa(int(r.ID))
}

// to names the user to OX. Sending both id and name would make the server look
// up both without comparing them.
func (r UserRef) to() *oxuser.User {
	if r.ID != 0 {
		return &oxuser.User{Id: number(r.ID)}
	}
	return &oxuser.User{Name: text(r.Name)}
}

// invalid is the error of a request that is not worth sending.
func (k *call) invalid(cause error) error {
	var e *Error
	if errors.As(cause, &e) {
		cause = errors.New(e.Message)
	}
	return &Error{Op: k.name, Context: k.context, Subject: k.subject, Kind: ErrInvalidData, Message: cause.Error(),
		NotDone: true}
}

// Get reads one user.
func (u *Users) Get(ctx context.Context, ref UserRef) (User, error) {
	k := u.call("read user", oxuser.OpGetData, ref.String(), &oxuser.GetData{User: ref.to()})
	r, err := invoke[oxuser.GetDataResponse](ctx, u.cc.c, k)
	if err != nil {
		return User{}, err
	}
	if r.Return_ == nil {
		return User{}, &Error{Op: "read user", Context: u.cc.id, Subject: ref.String(), Kind: ErrNoSuchUser, NotDone: true}
	}
	out := userFrom(r.Return_)
	// Servers may lower-case logins.
	if ref.ID != 0 && out.ID != ref.ID || ref.ID == 0 && !strings.EqualFold(out.Name, ref.Name) {
		return User{}, k.otherAnswer()
	}
	return out, nil
}

// Exists reports whether there is a user. It costs a third of [Users.Get].
func (u *Users) Exists(ctx context.Context, ref UserRef) (bool, error) {
	return u.exists(ctx, ref.String(), ref.to())
}

// DisplayNameExists reports whether a user has this display name.
func (u *Users) DisplayNameExists(ctx context.Context, displayName string) (bool, error) {
	return u.exists(ctx, displayName, &oxuser.User{Display_name: &displayName})
}

func (u *Users) exists(ctx context.Context, subject string, who *oxuser.User) (bool, error) {
	r, err := invoke[oxuser.ExistsResponse](ctx, u.cc.c, u.call("look for user", oxuser.OpExists, subject,
		&oxuser.Exists{User: who}))
	if err != nil {
		return false, err
	}
	return val(r.Return_), nil
}

// Admin reads the context's administrator.
func (u *Users) Admin(ctx context.Context) (User, error) {
	r, err := invoke[oxuser.GetContextAdminResponse](ctx, u.cc.c,
		u.call("read administrator", oxuser.OpGetContextAdmin, "", &oxuser.GetContextAdmin{}))
	if err != nil {
		return User{}, err
	}
	if r.Return_ == nil {
		return User{}, &Error{Op: "read administrator", Context: u.cc.id, Kind: ErrNoSuchUser, NotDone: true}
	}
	return userFrom(r.Return_), nil
}

// Create makes a user and returns him as OX answered, with his id; the answer
// is what was asked for and the server's defaults, not necessarily what is
// stored. If the answer is lost, Create looks whether the user is there before
// it tries again; a user with the same login name, primary address and display
// name is then taken for the one just made.
func (u *Users) Create(ctx context.Context, n NewUser) (User, error) {
	k := u.call("create user", oxuser.OpCreate, n.Name, nil)
	k.secrets = append(k.secrets, n.Password)
	if err := n.check(AccessRules{BypassCombinations: u.cc.c.opt.BypassAccessChecks}); err != nil {
		return User{}, k.invalid(err)
	}
	ch := n.change()
	data := ch.to()
	// The three request types differ, their answers have the same content.
	create := func() (*oxuser.User, error) {
		switch {
		case n.AccessName != "":
			k.op, k.req = oxuser.OpCreateByModuleAccessName, &oxuser.CreateByModuleAccessName{Usrdata: data,
				Access_combination_name: &n.AccessName}
			r, err := invoke[oxuser.CreateByModuleAccessNameResponse](ctx, u.cc.c, k)
			if err != nil {
				return nil, err
			}
			return r.Return_, nil
		case n.Access != nil:
			k.op, k.req = oxuser.OpCreateByModuleAccess, &oxuser.CreateByModuleAccess{Usrdata: data,
				Access: accessTo(*n.Access)}
			r, err := invoke[oxuser.CreateByModuleAccessResponse](ctx, u.cc.c, k)
			if err != nil {
				return nil, err
			}
			return r.Return_, nil
		}
		k.req = &oxuser.Create{Usrdata: data}
		r, err := invoke[oxuser.CreateResponse](ctx, u.cc.c, k)
		if err != nil {
			return nil, err
		}
		return r.Return_, nil
	}
	return settle(ctx, u.cc.c, userMayExist,
		func() (User, error) {
			r, err := create()
			if err != nil {
				return User{}, err
			}
			if r == nil || r.Id == nil {
				return User{}, &Error{Op: k.name, Context: k.context, Subject: k.subject, Kind: ErrProtocol,
					Message: "no user in the answer"}
			}
			return userFrom(r), nil
		},
		func() (User, sighting, error) {
			got, err := u.Get(ctx, UserRef{Name: n.Name})
			switch {
			case is(err, ErrNoSuchUser):
				return User{}, absent, nil
			case err != nil:
				return User{}, absent, err
			case sameSet([]string{got.PrimaryEmail}, []string{n.PrimaryEmail}) && got.DisplayName == n.DisplayName:
				return got, asWanted, nil
			}
			return got, different, nil
		})
}

// Change writes to a user; see [UserChange]. A change that says nothing is not
// sent.
func (u *Users) Change(ctx context.Context, ref UserRef, ch UserChange) error {
	k := u.call("change user", oxuser.OpChange, ref.String(), nil)
	k.secrets = append(k.secrets, ch.Password)
	if ch.IsZero() {
		return nil
	}
	if err := ch.check(); err != nil {
		return k.invalid(err)
	}
	data := ch.to()
	switch {
	case ref.ID != 0:
		data.Id = number(ref.ID)
	case ch.Name == nil:
		data.Name = &ref.Name
	case *ch.Name != ref.Name:
		return k.invalid(errors.New("a new login name needs the user's id"))
	}
	k.req = &oxuser.Change{Usrdata: data}
	return u.run(ctx, k)
}

// Access reads what a user may use.
func (u *Users) Access(ctx context.Context, ref UserRef) (Access, error) {
	r, err := invoke[oxuser.GetModuleAccessResponse](ctx, u.cc.c,
		u.call("read access of user", oxuser.OpGetModuleAccess, ref.String(), &oxuser.GetModuleAccess{User: ref.to()}))
	if err != nil {
		return 0, err
	}
	return accessFrom(r.Return_), nil
}

// AccessName returns the named combination that a user has exactly, or "".
func (u *Users) AccessName(ctx context.Context, ref UserRef) (string, error) {
	r, err := invoke[oxuser.GetAccessCombinationNameResponse](ctx, u.cc.c,
		u.call("read access name of user", oxuser.OpGetAccessCombinationName, ref.String(),
			&oxuser.GetAccessCombinationName{User: ref.to()}))
	if err != nil {
		return "", err
	}
	return val(r.Return_), nil
}

// SetAccess gives a user exactly these flags, as far as OX lets one; see
// [Access.Check] and [Access.Same].
func (u *Users) SetAccess(ctx context.Context, ref UserRef, a Access) error {
	k := u.call("set access of user", oxuser.OpChangeByModuleAccess, ref.String(),
		&oxuser.ChangeByModuleAccess{User: ref.to(), ModuleAccess: accessTo(a)})
	if err := a.Check(AccessRules{Admin: true, BypassCombinations: u.cc.c.opt.BypassAccessChecks}); err != nil {
		return k.invalid(err)
	}
	return u.run(ctx, k)
}

// SetAccessName gives a user a named combination; an unknown name is
// [ErrNoSuchCombination]. Unlike [Users.SetAccess] it can clear publication. After
// a copy it opens the global address book again.
func (u *Users) SetAccessName(ctx context.Context, ref UserRef, name string) error {
	return u.run(ctx, u.call("set access of user", oxuser.OpChangeByModuleAccessName, ref.String(),
		&oxuser.ChangeByModuleAccessName{User: ref.to(), Access_combination_name: &name}))
}

// SetMailPersonal sets the name that stands before the address in the primary
// mail account.
func (u *Users) SetMailPersonal(ctx context.Context, ref UserRef, personal string) error {
	return u.run(ctx, u.call("set mail name of user", oxuser.OpChangeMailAddressPersonal, ref.String(),
		&oxuser.ChangeMailAddressPersonal{User: ref.to(), Personal: &personal}))
}

// Reassign says what becomes of the shared data of a deleted user. The zero
// value gives it to the context's administrator.
type Reassign struct {
	to      schoolmail.UserID
	discard bool
}

// ReassignTo gives the shared data to another user, who must own a file store.
func ReassignTo(id schoolmail.UserID) Reassign { return Reassign{to: id} }

// DiscardShared deletes the shared data, too.
func DiscardShared() Reassign { return Reassign{discard: true} }

// value is the wire form: nil means the administrator, -1 nobody.
func (r Reassign) value() *int32 {
	if r.discard {
		return new(int32(-1))
	}
	return number(max(r.to, 0))
}

// Delete removes users with all that is theirs. A user who does not exist is
// success. Several are removed in one transaction; if one of them is missing the
// rest is split up, so that after an error some may be gone and others not.
func (u *Users) Delete(ctx context.Context, reassign Reassign, refs ...UserRef) error {
	const name = "delete user"
	switch len(refs) {
	case 0:
		return nil
	case 1:
		err := u.run(ctx, u.call(name, oxuser.OpDelete, refs[0].String(),
			&oxuser.Delete{User: refs[0].to(), Reassign: reassign.value()}))
		if !is(err, ErrNoSuchUser) {
			return err
		}
		if reassign.to > 0 { // or is it the heir who does not exist?
			exists, lookErr := u.Exists(ctx, refs[0])
			if exists || lookErr != nil {
				return errors.Join(err, lookErr)
			}
		}
		return nil
	}
	req := &oxuser.DeleteMultiple{Reassign: reassign.value()}
	for _, r := range refs {
		req.Users = append(req.Users, r.to())
	}
	err := u.run(ctx, u.call("delete users", oxuser.OpDeleteMultiple,
		fmt.Sprintf("%s and %d more", refs[0], len(refs)-1), req))
	if !is(err, ErrNoSuchUser) {
		return err
	}
	half := len(refs) / 2
	return errors.Join(u.Delete(ctx, reassign, refs[:half]...), u.Delete(ctx, reassign, refs[half:]...))
}

// DriveMove is a move of a user's files. The fields that an operation does not
// need are ignored.
type DriveMove struct {
	Master    UserRef // whose file store is shared
	Filestore int     // where to
	MaxQuota  int64   // MB; [Unlimited]
}

// MoveToOwnFilestore moves a user's files from the context's file store into one
// of his own. The result is the number of a job; see [Jobs].
func (u *Users) MoveToOwnFilestore(ctx context.Context, ref UserRef, m DriveMove) (int, error) {
	r, err := invoke[oxuser.MoveFromContextToUserFilestoreResponse](ctx, u.cc.c,
		u.call("move files of user", oxuser.OpMoveFromContextToUserFilestore, ref.String(),
			&oxuser.MoveFromContextToUserFilestore{User: ref.to(), Dst_filestore_id: m.store(), Max_quota: new(m.MaxQuota)}))
	if err != nil {
		return 0, err
	}
	return int(val(r.Return_)), nil
}

// MoveFromMasterToOwnFilestore moves a user's files from another user's file
// store into one of his own.
func (u *Users) MoveFromMasterToOwnFilestore(ctx context.Context, ref UserRef, m DriveMove) (int, error) {
	r, err := invoke[oxuser.MoveFromMasterToUserFilestoreResponse](ctx, u.cc.c,
		u.call("move files of user", oxuser.OpMoveFromMasterToUserFilestore, ref.String(),
			&oxuser.MoveFromMasterToUserFilestore{User: ref.to(), MasterUser: m.Master.to(), Dst_filestore_id: m.store(),
				Max_quota: new(m.MaxQuota)}))
	if err != nil {
		return 0, err
	}
	return int(val(r.Return_)), nil
}

// MoveToMasterFilestore moves a user's files from his own file store into another user's.
func (u *Users) MoveToMasterFilestore(ctx context.Context, ref UserRef, m DriveMove) (int, error) {
	r, err := invoke[oxuser.MoveFromUserFilestoreToMasterResponse](ctx, u.cc.c,
		u.call("move files of user", oxuser.OpMoveFromUserFilestoreToMaster, ref.String(),
			&oxuser.MoveFromUserFilestoreToMaster{User: ref.to(), MasterUser: m.Master.to()}))
	if err != nil {
		return 0, err
	}
	return int(val(r.Return_)), nil
}

// MoveToContextFilestore moves a user's files from his own file store into the context's.
func (u *Users) MoveToContextFilestore(ctx context.Context, ref UserRef) (int, error) {
	r, err := invoke[oxuser.MoveFromUserToContextFilestoreResponse](ctx, u.cc.c,
		u.call("move files of user", oxuser.OpMoveFromUserToContextFilestore, ref.String(),
			&oxuser.MoveFromUserToContextFilestore{User: ref.to()}))
	if err != nil {
		return 0, err
	}
	return int(val(r.Return_)), nil
}

// MoveFilestore moves a user's own file store.
func (u *Users) MoveFilestore(ctx context.Context, ref UserRef, m DriveMove) (int, error) {
	r, err := invoke[oxuser.MoveUserFilestoreResponse](ctx, u.cc.c,
		u.call("move files of user", oxuser.OpMoveUserFilestore, ref.String(),
			&oxuser.MoveUserFilestore{User: ref.to(), Dst_filestore_id: m.store()}))
	if err != nil {
		return 0, err
	}
	return int(val(r.Return_)), nil
}

func (m DriveMove) store() *oxuser.Filestore { return &oxuser.Filestore{Id: number(m.Filestore)} }

// Capabilities lists a user's own capabilities.
func (u *Users) Capabilities(ctx context.Context, ref UserRef) ([]string, error) {
	r, err := invoke[oxuser.GetUserCapabilitiesResponse](ctx, u.cc.c,
		u.call("read capabilities of user", oxuser.OpGetUserCapabilities, ref.String(),
			&oxuser.GetUserCapabilities{User: ref.to()}))
	if err != nil {
		return nil, err
	}
	return capabilitiesFrom(val(r.Return_)), nil
}

// ChangeCapabilities changes a user's own capabilities.
func (u *Users) ChangeCapabilities(ctx context.Context, ref UserRef, ch CapabilityChange) error {
	k := u.call("change capabilities of user", oxuser.OpChangeCapabilities, ref.String(), nil)
	if ch.isZero() {
		return k.invalid(errNoCapabilities)
	}
	k.req = &oxuser.ChangeCapabilities{User: ref.to(), CapsToAdd: commaList(ch.Grant), CapsToRemove: commaList(ch.Deny),
		CapsToDrop: commaList(ch.Remove)}
	return u.run(ctx, k)
}

// Refs names users by their ids.
func Refs(ids ...schoolmail.UserID) []UserRef {
	out := make([]UserRef, len(ids))
	for i, id := range ids {
		out[i].ID = id
	}
	return out
}
