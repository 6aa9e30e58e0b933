package soapapi

import (
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/ox/internal/oxresource"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

func resourceService() *service {
	return &service{
		name:    oxresource.Service,
		style:   soap.FaultStyle{Namespace: oxresource.Namespace},
		decoder: soap.NewRequestDecoder(oxresource.Namespace, oxresource.Operations),
		Handlers: map[*soap.Operation]handler{
			oxresource.OpChange: void(changeResource),
			oxresource.OpCreate: on(createResource),
			oxresource.OpDelete: void(func(c *call, r *oxresource.Delete) *soap.Fault {
				return c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					res, f := c.st.FindResource(cs, r.Res)
					if f == nil {
						delete(cs.Resources, state.Number(res.Id))
					}
					return f
				})
			}),
			oxresource.OpGetData: on(func(c *call, r *oxresource.GetData) (*oxresource.GetDataResponse, *soap.Fault) {
				out := &oxresource.GetDataResponse{}
				return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) (f *soap.Fault) {
					out.Return_, f = c.st.FindResource(cs, r.Res)
					return f
				})
			}),
			oxresource.OpGetMultipleData: on(func(c *call, r *oxresource.GetMultipleData) (*oxresource.GetMultipleDataResponse,
				*soap.Fault) {
				out := &oxresource.GetMultipleDataResponse{}
				return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					for _, ref := range r.Resources {
						res, f := c.st.FindResource(cs, ref)
						if f != nil {
							return f
						}
						out.Return_ = append(out.Return_, res)
					}
					return nil
				})
			}),
			oxresource.OpList: on(func(c *call, r *oxresource.List) (*oxresource.ListResponse, *soap.Fault) {
				out := &oxresource.ListResponse{}
				return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					if state.Text(r.Pattern) == "" {
						return c.st.Fault(state.KindData, "Pattern must not be empty.")
					}
					out.Return_ = cs.SearchResources(*r.Pattern)
					return nil
				})
			}),
			oxresource.OpListAll: on(func(c *call, r *oxresource.ListAll) (*oxresource.ListAllResponse, *soap.Fault) {
				out := &oxresource.ListAllResponse{}
				return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
					out.Return_ = cs.SearchResources("*")
					return nil
				})
			}),
		},
	}
}

func createResource(c *call, r *oxresource.Create) (*oxresource.CreateResponse, *soap.Fault) {
	out := &oxresource.CreateResponse{}
	return out, c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		in := r.Res
		if in == nil {
			in = &oxresource.Resource{}
		}
		if m := state.Missing(in, "name", "displayname", "email"); len(m) > 0 {
			return c.st.Fault(state.KindData, "Mandatory fields not set: [%s]", strings.Join(m, ", "))
		}
		if f := c.st.CheckResource(cs, in, 0); f != nil {
			return f
		}
		res := *in
		res.Id = state.Id32(cs.NextID())
		res.Permissions = state.StoredPermissions(in.Permissions)
		if res.Available == nil {
			res.Available = new(true)
		}
		cs.Resources[state.Number(res.Id)] = &res
		out.Return_ = &res
		return nil
	})
}

func changeResource(c *call, r *oxresource.Change) *soap.Fault {
	return c.reading(r.Ctx, r.Auth, func(cs *state.Context) *soap.Fault {
		ref := r.Res
		if ref != nil && ref.Id != nil {
			ref = &oxresource.Resource{Id: ref.Id}
		}
		old, f := c.st.FindResource(cs, ref)
		if f != nil {
			return f
		}
		in := r.Res
		if f := c.st.CheckResource(cs, in, state.Number(old.Id)); f != nil {
			return f
		}
		res := *old
		for _, p := range []struct{ dst, src **string }{{&res.Name, &in.Name}, {&res.Displayname, &in.Displayname},
			{&res.Email, &in.Email}, {&res.Description, &in.Description}} {
			if *p.src != nil {
				*p.dst = *p.src
			}
		}
		if in.Available != nil {
			res.Available = in.Available
		}
		if in.Permissions != nil {
			res.Permissions = state.StoredPermissions(in.Permissions)
		}
		cs.Resources[state.Number(res.Id)] = &res
		return nil
	})
}
