package oxtest

import (
	"github.com/ictmedia/schoolmail/internal/soap"
)

// creds are the credentials of a request, whatever service they came in on.
type creds struct{ Login, Password *string }

// authFailed is the answer to wrong credentials, and, on purpose, to a context
// that does not exist.
func (s *State) authFailed() *soap.Fault { return s.fault(kindCredentials, "Authentication failed") }

func (s *State) isMaster(a *creds) bool {
	return a != nil && text(a.Login) == s.masterLogin && text(a.Password) == s.masterPassword
}

// authMaster checks master credentials.
func (s *State) authMaster(a *creds) *soap.Fault {
	if !s.isMaster(a) {
		return s.authFailed()
	}
	return nil
}

// ctxRef is the Context parameter of a request.
type ctxRef struct {
	Id   *int32
	Name *string
}

// authAdmin checks the credentials of a context's admin and then the schema.
func (s *State) authAdmin(ctx *ctxRef, a *creds) (*contextState, *soap.Fault) {
	if ctx == nil || ctx.Id == nil {
		return nil, s.fault(kindCredentials, "Client sent invalid context data object")
	}
	c := s.context(number(ctx.Id))
	if c == nil {
		return nil, s.authFailed()
	}
	if !(s.masterOverride && s.isMaster(a)) && !c.isAdmin(a) {
		return nil, s.authFailed()
	}
	if f := s.schemaState(c); f != nil {
		return nil, f
	}
	return c, nil
}

func (c *contextState) isAdmin(a *creds) bool {
	admin := c.users[c.adminID]
	return a != nil && admin != nil && text(a.Login) == admin.name() && text(a.Password) == admin.password
}

// schemaState refuses work while the schema of a context is being updated.
func (s *State) schemaState(c *contextState) *soap.Fault {
	if !s.updating[c.schema] {
		return nil
	}
	return s.fault(kindUpdate,
		"Schema %q from database %d on host %q is locked or is now being updated, please try again later",
		c.schema, c.databaseID, "localhost")
}

// authMasterFor checks master credentials for an existing context.
func (s *State) authMasterFor(ctx *ctxRef, a *creds) (*contextState, *soap.Fault) {
	if ctx == nil || ctx.Id == nil {
		return nil, s.fault(kindCredentials, "Client sent invalid context data object")
	}
	if f := s.authMaster(a); f != nil {
		return nil, f
	}
	c := s.context(number(ctx.Id))
	if c == nil {
		return nil, s.fault(kindNoContext, "The context %d does not exist!", number(ctx.Id))
	}
	return c, nil
}

// authSelf is the order of checks that user change, getData and getMultipleData
// have of their own: the context first, then the login as a user of it, then the
// password. target, if not nil, finds the user that is meant and is asked before the
// credentials (change) or not at all. It returns the user who calls.
func (s *State) authSelf(ctx *ctxRef, a *creds, unknownLogin string) (c *contextState, caller *userState,
	f *soap.Fault) {
	if ctx == nil || ctx.Id == nil {
		return nil, nil, s.fault(kindCredentials, "Client sent invalid context data object")
	}
	c = s.context(number(ctx.Id))
	if c == nil {
		return nil, nil, s.fault(kindNoContext, "The context %d does not exist!", number(ctx.Id))
	}
	if f := s.schemaState(c); f != nil {
		return nil, nil, f
	}
	if s.masterOverride && s.isMaster(a) {
		return c, c.users[c.adminID], nil
	}
	login, password := "", ""
	if a != nil {
		login, password = text(a.Login), text(a.Password)
	}
	caller = c.userByName(login)
	if caller == nil {
		return nil, nil, s.fault(unknownLogin, "No such user %s in context %d", login, c.id)
	}
	if caller.password != password {
		return nil, nil, s.authFailed()
	}
	return c, caller, nil
}
