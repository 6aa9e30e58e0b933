package soapapi

import (
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

func secondaryAccountService() *service {
	return &service{
		name:    oxsecaccount.Service,
		style:   soap.FaultStyle{Namespace: oxsecaccount.Namespace},
		decoder: soap.NewRequestDecoder(oxsecaccount.Namespace, oxsecaccount.Operations),
		Handlers: map[*soap.Operation]handler{
			oxsecaccount.OpCreate: void(createAccount),
			oxsecaccount.OpDelete: on(func(c *call, r *oxsecaccount.Delete) (*oxsecaccount.DeleteResponse, *soap.Fault) {
				out := &oxsecaccount.DeleteResponse{}
				return out, c.accounts(r.Context, r.Users, r.Groups, r.Auth,
					func(cs *state.Context, who accountOwners) *soap.Fault {
						if state.Text(r.PrimaryAddress) == "" {
							return c.st.Fault(state.KindData, "Missing primary address")
						}
						n := len(cs.Accounts)
						cs.Accounts = slices.DeleteFunc(cs.Accounts, func(a state.SecondaryAccount) bool {
							return who.match(a) && strings.EqualFold(state.Text(a.Data.PrimaryAddress), *r.PrimaryAddress)
						})
						out.Return_ = new(len(cs.Accounts) < n)
						return nil
					})
			}),
			oxsecaccount.OpList: on(func(c *call, r *oxsecaccount.List) (*oxsecaccount.ListResponse, *soap.Fault) {
				out := &oxsecaccount.ListResponse{}
				return out, c.accounts(r.Context, r.Users, r.Groups, r.Auth,
					func(cs *state.Context, who accountOwners) *soap.Fault {
						for _, a := range cs.Accounts {
							if who.match(a) {
								out.Return_ = append(out.Return_, a.Data)
							}
						}
						return nil
					})
			}),
			oxsecaccount.OpUpdate: on(func(c *call, r *oxsecaccount.Update) (*oxsecaccount.UpdateResponse, *soap.Fault) {
				out := &oxsecaccount.UpdateResponse{Return_: new(false)}
				return out, c.accounts(r.Context, r.Users, r.Groups, r.Auth,
					func(cs *state.Context, who accountOwners) *soap.Fault {
						if state.Text(r.PrimaryAddress) == "" || r.AccountDataUpdate == nil {
							return c.st.Fault(state.KindData, "Missing primary address or account data")
						}
						for i, a := range cs.Accounts {
							if who.match(a) && strings.EqualFold(state.Text(a.Data.PrimaryAddress), *r.PrimaryAddress) {
								data := *a.Data
								state.Overlay(&data, r.AccountDataUpdate)
								cs.Accounts[i].Data = &data
								out.Return_ = new(true)
							}
						}
						return nil
					})
			}),
		},
	}
}

// accountOwners are the users whom a request means, directly or by a group.
type accountOwners map[int]bool

func (w accountOwners) match(a state.SecondaryAccount) bool { return w[state.Number(a.Data.UserId)] }

// accounts runs f with the users that a request names. Group 0 is everybody and
// is not looked up.
func (c *call) accounts(ctx *oxsecaccount.Context, us []*oxsecaccount.User, gs []*oxsecaccount.Group,
	auth *oxsecaccount.Credentials, f func(cs *state.Context, who accountOwners) *soap.Fault) *soap.Fault {
	return c.reading(ctx, auth, func(cs *state.Context) *soap.Fault {
		if len(us)+len(gs) == 0 {
			return c.st.Fault(state.KindData, "Missing users/groups in account data")
		}
		who := accountOwners{}
		for _, u := range us {
			if cs.Users[state.Number(u.Id)] == nil {
				return c.st.Fault(state.KindNoUser, "No such user %d in context %d", state.Number(u.Id), cs.ID)
			}
			who[state.Number(u.Id)] = true
		}
		for _, g := range gs {
			id := state.Number(g.Id)
			if g.Id == nil || id != state.AllUsersGroup && cs.Groups[id] == nil {
				return c.st.Fault(state.KindData, "No such group %d in context %d", id, cs.ID)
			}
			for _, uid := range cs.UserIDs() {
				if id == state.AllUsersGroup || cs.Groups[id].Members[uid] {
					who[uid] = true
				}
			}
		}
		return f(cs, who)
	})
}

func createAccount(c *call, r *oxsecaccount.Create) *soap.Fault {
	return c.accounts(r.Context, r.Users, r.Groups, r.Auth, func(cs *state.Context, who accountOwners) *soap.Fault {
		in := r.AccountDataOnCreate
		switch {
		case in == nil:
			return c.st.Fault(state.KindData, "Missing account data")
		case state.Text(in.PrimaryAddress) == "" || state.Text(in.Login) == "" || state.Text(in.Name) == "":
			return c.st.Fault(state.KindData, "Missing primary address, login or name in account data")
		case !state.ValidAddress(*in.PrimaryAddress):
			return c.st.Fault(state.KindData, "Invalid email address: %s", *in.PrimaryAddress)
		case !endpointGiven(in.MailEndpointSource) && state.Text(in.MailServer) == "":
			return c.st.Fault(state.KindData, "Missing mail server in account data")
		}
		for _, a := range cs.Accounts {
			if who.match(a) && strings.EqualFold(state.Text(a.Data.PrimaryAddress), *in.PrimaryAddress) {
				return c.st.Fault(state.KindStorage,
					"MSG-0040 Categories=USER_INPUT Message='An account with address %s already exists for user %d.'",
					*in.PrimaryAddress, state.Number(a.Data.UserId))
			}
		}
		for _, uid := range cs.UserIDs() {
			if !who[uid] {
				continue
			}
			cs.NextAccount++
			data := &oxsecaccount.Account{}
			state.Overlay(data, in)
			data.ContextId, data.UserId, data.Id = state.Id32(cs.ID), state.Id32(uid), state.Id32(cs.NextAccount)
			data.Password, data.TransportPassword = nil, nil
			cs.Accounts = append(cs.Accounts, state.SecondaryAccount{Data: data})
		}
		return nil
	})
}

// endpointGiven reports whether the server takes the mail server from somewhere
// else than the request.
func endpointGiven(source *string) bool {
	s := strings.ToLower(state.Text(source))
	return s == "primary" || s == "localhost"
}
