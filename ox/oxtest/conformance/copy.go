package conformance

import (
	"errors"

	"github.com/ictmedia/schoolmail"
	"github.com/ictmedia/schoolmail/ox/internal/oxusercopy"
)

// copy copies a user of the first context, named by his id, into the second and
// nothing else: the client's own CopyUser does more.
func (r *run) copy(id schoolmail.UserID) (schoolmail.UserID, error) {
	return r.copyOf(&oxusercopy.User{Id: new(int32(id))})
}

// copyOf is copy for a user named as the caller likes.
func (r *run) copyOf(user *oxusercopy.User) (schoolmail.UserID, error) {
	var out oxusercopy.CopyUserResponse
	m := r.master()
	err := r.raw.Call(r.ctx, oxusercopy.OpCopyUser, &oxusercopy.CopyUser{User: user,
		Src: &oxusercopy.Context{Id: new(int32(r.a.ID()))}, Dest: &oxusercopy.Context{Id: new(int32(r.b.ID()))},
		Auth: &oxusercopy.Credentials{Login: m.Login, Password: m.Password}}, &out)
	if err != nil {
		return 0, err
	}
	if out.Return_ == nil || out.Return_.Id == nil {
		return 0, errors.New("copyUser answered no id")
	}
	return schoolmail.UserID(*out.Return_.Id), nil
}
