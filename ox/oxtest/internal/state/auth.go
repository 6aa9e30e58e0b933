package state

import (
	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxdata"
)

// AuthFailed is the answer to wrong credentials, and, on purpose, to a context
// that does not exist.
func (s *World) AuthFailed() *soap.Fault { return s.Fault(KindCredentials, "Authentication failed") }

func (s *World) IsMaster(a *oxdata.Credentials) bool {
	return a != nil && Text(a.Login) == s.MasterLogin && Text(a.Password) == s.MasterPassword
}

// AuthMaster checks master credentials.
func (s *World) AuthMaster(a *oxdata.Credentials) *soap.Fault {
	if !s.IsMaster(a) {
		return s.AuthFailed()
	}
	return nil
}

// ContextRef is the Context parameter of a request.
type ContextRef struct {
	Id   *int32
	Name *string
}

// AuthAdmin checks the credentials of a context's admin and then the schema.
func (s *World) AuthAdmin(ctx *ContextRef, a *oxdata.Credentials) (*Context, *soap.Fault) {
	if ctx == nil || ctx.Id == nil {
		return nil, s.Fault(KindCredentials, "Client sent invalid context data object")
	}
	c := s.Context(Number(ctx.Id))
	if c == nil {
		return nil, s.AuthFailed()
	}
	if !(s.MasterOverride && s.IsMaster(a)) && !c.IsAdmin(a) {
		return nil, s.AuthFailed()
	}
	if f := s.SchemaState(c); f != nil {
		return nil, f
	}
	return c, nil
}

func (c *Context) IsAdmin(a *oxdata.Credentials) bool {
	admin := c.Users[c.AdminID]
	return a != nil && admin != nil && Text(a.Login) == admin.Name() && Text(a.Password) == admin.Password
}

// SchemaState refuses work while the schema of a context is being updated.
func (s *World) SchemaState(c *Context) *soap.Fault {
	if !s.Updating[c.Schema] {
		return nil
	}
	return s.Fault(kindUpdate,
		"Schema %q from database %d on host %q is locked or is now being updated, please try again later",
		c.Schema, c.DatabaseID, "localhost")
}

// AuthMasterFor checks master credentials for an existing context.
func (s *World) AuthMasterFor(ctx *ContextRef, a *oxdata.Credentials) (*Context, *soap.Fault) {
	if ctx == nil || ctx.Id == nil {
		return nil, s.Fault(KindCredentials, "Client sent invalid context data object")
	}
	if f := s.AuthMaster(a); f != nil {
		return nil, f
	}
	c := s.Context(Number(ctx.Id))
	if c == nil {
		return nil, s.Fault(KindNoContext, "The context %d does not exist!", Number(ctx.Id))
	}
	return c, nil
}

// AuthSelf is the order of checks that user change, getData and getMultipleData
// have of their own: the context first, then the login as a user of it, then the
// password. target, if not nil, finds the user that is meant and is asked before the
// credentials (change) or not at all. It returns the user who calls.
func (s *World) AuthSelf(ctx *ContextRef, a *oxdata.Credentials, unknownLogin string) (c *Context, caller *User,
	f *soap.Fault) {
	if ctx == nil || ctx.Id == nil {
		return nil, nil, s.Fault(KindCredentials, "Client sent invalid context data object")
	}
	c = s.Context(Number(ctx.Id))
	if c == nil {
		return nil, nil, s.Fault(KindNoContext, "The context %d does not exist!", Number(ctx.Id))
	}
	if f := s.SchemaState(c); f != nil {
		return nil, nil, f
	}
	if s.MasterOverride && s.IsMaster(a) {
		return c, c.Users[c.AdminID], nil
	}
	login, password := "", ""
	if a != nil {
		login, password = Text(a.Login), Text(a.Password)
	}
	caller = c.UserByName(login)
	if caller == nil {
		return nil, nil, s.Fault(unknownLogin, "No such user %s in context %d", login, c.ID)
	}
	if caller.Password != password {
		return nil, nil, s.AuthFailed()
	}
	return c, caller, nil
}
