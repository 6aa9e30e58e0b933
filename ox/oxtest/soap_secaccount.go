package oxtest

import (
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxsecaccount"
)

func secondaryAccountService() *service {
	return &service{
		name:    oxsecaccount.Service,
		style:   soap.FaultStyle{Namespace: oxsecaccount.Namespace},
		decoder: soap.NewRequestDecoder(oxsecaccount.Namespace, oxsecaccount.Operations),
		handlers: map[*soap.Operation]handler{
			oxsecaccount.OpCreate: void(createAccount),
			oxsecaccount.OpDelete: on(func(c *call, r *oxsecaccount.Delete) (*oxsecaccount.DeleteResponse, *soap.Fault) {
				out := &oxsecaccount.DeleteResponse{}
				return out, c.accounts(r.Context, r.Users, r.Groups, r.Auth, func(cs *contextState, who accountOwners) *soap.Fault {
					if text(r.PrimaryAddress) == "" {
						return c.st.fault(kindData, "Missing primary address")
					}
					n := len(cs.accounts)
					cs.accounts = slices.DeleteFunc(cs.accounts, func(a secondaryAccount) bool {
						return who.match(a) && strings.EqualFold(text(a.data.PrimaryAddress), *r.PrimaryAddress)
					})
					out.Return_ = new(len(cs.accounts) < n)
					return nil
				})
			}),
			oxsecaccount.OpList: on(func(c *call, r *oxsecaccount.List) (*oxsecaccount.ListResponse, *soap.Fault) {
				out := &oxsecaccount.ListResponse{}
				return out, c.accounts(r.Context, r.Users, r.Groups, r.Auth, func(cs *contextState, who accountOwners) *soap.Fault {
					for _, a := range cs.accounts {
						if who.match(a) {
							out.Return_ = append(out.Return_, a.data)
						}
					}
					return nil
				})
			}),
			oxsecaccount.OpUpdate: on(func(c *call, r *oxsecaccount.Update) (*oxsecaccount.UpdateResponse, *soap.Fault) {
				out := &oxsecaccount.UpdateResponse{Return_: new(false)}
				return out, c.accounts(r.Context, r.Users, r.Groups, r.Auth, func(cs *contextState, who accountOwners) *soap.Fault {
					if text(r.PrimaryAddress) == "" || r.AccountDataUpdate == nil {
						return c.st.fault(kindData, "Missing primary address or account data")
					}
					for i, a := range cs.accounts {
						if who.match(a) && strings.EqualFold(text(a.data.PrimaryAddress), *r.PrimaryAddress) {
							data := *a.data
							overlay(&data, r.AccountDataUpdate)
							cs.accounts[i].data = &data
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

func (w accountOwners) match(a secondaryAccount) bool { return w[number(a.data.UserId)] }

// accounts runs f with the users that a request names. Group 0 is everybody and
// is not looked up.
func (c *call) accounts(ctx *oxsecaccount.Context, us []*oxsecaccount.User, gs []*oxsecaccount.Group,
	auth *oxsecaccount.Credentials, f func(cs *contextState, who accountOwners) *soap.Fault) *soap.Fault {
	return c.reading(ctx, auth, func(cs *contextState) *soap.Fault {
		if len(us)+len(gs) == 0 {
			return c.st.fault(kindData, "Missing users/groups in account data")
		}
		who := accountOwners{}
		for _, u := range us {
			if cs.users[number(u.Id)] == nil {
				return c.st.fault(kindNoUser, "No such user %d in context %d", number(u.Id), cs.id)
			}
			who[number(u.Id)] = true
		}
		for _, g := range gs {
			id := number(g.Id)
			if g.Id == nil || id != allUsersGroup && cs.groups[id] == nil {
				return c.st.fault(kindData, "No such group %d in context %d", id, cs.id)
			}
			for _, uid := range cs.userIDs() {
				if id == allUsersGroup || cs.groups[id].members[uid] {
					who[uid] = true
				}
			}
		}
		return f(cs, who)
	})
}

func createAccount(c *call, r *oxsecaccount.Create) *soap.Fault {
	return c.accounts(r.Context, r.Users, r.Groups, r.Auth, func(cs *contextState, who accountOwners) *soap.Fault {
		in := r.AccountDataOnCreate
		switch {
		case in == nil:
			return c.st.fault(kindData, "Missing account data")
		case text(in.PrimaryAddress) == "" || text(in.Login) == "" || text(in.Name) == "":
			return c.st.fault(kindData, "Missing primary address, login or name in account data")
		case !validAddress(*in.PrimaryAddress):
			return c.st.fault(kindData, "Invalid email address: %s", *in.PrimaryAddress)
		case !endpointGiven(in.MailEndpointSource) && text(in.MailServer) == "":
			return c.st.fault(kindData, "Missing mail server in account data")
		}
		for _, a := range cs.accounts {
			if who.match(a) && strings.EqualFold(text(a.data.PrimaryAddress), *in.PrimaryAddress) {
				return c.st.fault(kindStorage,
					"MSG-0040 Categories=USER_INPUT Message='An account with address %s already exists for user %d.'",
					*in.PrimaryAddress, number(a.data.UserId))
			}
		}
		for _, uid := range cs.userIDs() {
			if !who[uid] {
				continue
			}
			cs.nextAccount++
			data := &oxsecaccount.Account{}
			overlay(data, in)
			data.ContextId, data.UserId, data.Id = id32(cs.id), id32(uid), id32(cs.nextAccount)
			data.Password, data.TransportPassword = nil, nil
			cs.accounts = append(cs.accounts, secondaryAccount{data: data})
		}
		return nil
	})
}

// endpointGiven reports whether the server takes the mail server from somewhere
// else than the request.
func endpointGiven(source *string) bool {
	s := strings.ToLower(text(source))
	return s == "primary" || s == "localhost"
}
