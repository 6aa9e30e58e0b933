package soapapi

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
	"github.com/ictmedia/schoolmail/ox/oxtest/internal/state"
)

// Jobs are what the move operations start. The simulator carries them out at
// once and keeps them as finished until they are removed.

// moveTo carries out a file store move of one user: to a store of his own (own),
// or back to the context's.
func (c *call) moveTo(ctx *oxuser.Context, user *oxuser.User, auth *oxuser.Credentials, store *oxuser.Filestore,
	mustOwn, own bool, quota *int64) (id *int32, fault *soap.Fault) {
	fault = c.writing(c.admin(ctx, auth), func(cs *state.Context) *soap.Fault {
		s := c.st
		u, f := s.FindUser(cs, state.Convert[state.UserRef](user), false)
		if f != nil {
			return f
		}
		has := state.Number(u.Data.FilestoreId) != 0
		if mustOwn != has {
			return s.Fault(state.KindStorage, "User %d in context %d has the wrong kind of file store for this operation.", u.ID,
				cs.ID)
		}
		data := *u.Data
		if own {
			fs, f := s.FindFilestore(store)
			if f != nil {
				return f
			}
			data.FilestoreId, data.Filestore_name = state.Id32(fs), new(state.Itoa(cs.ID)+"_ctx_"+state.Itoa(u.ID)+"_user_store")
			if quota != nil {
				data.MaxQuota = quota
			}
		} else {
			data.FilestoreId, data.Filestore_name, data.MaxQuota = state.Id32(0), nil, new(int64(-1))
		}
		cs.Store(u, &data)
		id = s.NewJob(cs.ID, c.op.Name)
		return nil
	})
	return id, fault
}

func moveFromContext(c *call,
	r *oxuser.MoveFromContextToUserFilestore) (*oxuser.MoveFromContextToUserFilestoreResponse, *soap.Fault) {
	id, f := c.moveTo(r.Ctx, r.User, r.Auth, r.Dst_filestore_id, false, true, r.Max_quota)
	return &oxuser.MoveFromContextToUserFilestoreResponse{Return_: id}, f
}

func moveFromMaster(c *call, r *oxuser.MoveFromMasterToUserFilestore) (*oxuser.MoveFromMasterToUserFilestoreResponse,
	*soap.Fault) {
	id, f := c.moveTo(r.Ctx, r.User, r.Auth, r.Dst_filestore_id, true, true, r.Max_quota)
	return &oxuser.MoveFromMasterToUserFilestoreResponse{Return_: id}, f
}

func moveToMaster(c *call, r *oxuser.MoveFromUserFilestoreToMaster) (*oxuser.MoveFromUserFilestoreToMasterResponse,
	*soap.Fault) {
	id, f := c.moveTo(r.Ctx, r.User, r.Auth, nil, true, false, nil)
	return &oxuser.MoveFromUserFilestoreToMasterResponse{Return_: id}, f
}

func moveToContext(c *call, r *oxuser.MoveFromUserToContextFilestore) (*oxuser.MoveFromUserToContextFilestoreResponse,
	*soap.Fault) {
	id, f := c.moveTo(r.Ctx, r.User, r.Auth, nil, true, false, nil)
	return &oxuser.MoveFromUserToContextFilestoreResponse{Return_: id}, f
}

func moveUserFilestore(c *call, r *oxuser.MoveUserFilestore) (*oxuser.MoveUserFilestoreResponse, *soap.Fault) {
	id, f := c.moveTo(r.Ctx, r.User, r.Auth, r.Dst_filestore_id, true, true, nil)
	return &oxuser.MoveUserFilestoreResponse{Return_: id}, f
}

func taskService() *service {
	return &service{
		name:    oxtask.Service,
		style:   soap.FaultStyle{Namespace: oxtask.Namespace, Rich: true},
		decoder: soap.NewRequestDecoder(oxtask.Namespace, oxtask.Operations),
		Handlers: map[*soap.Operation]handler{
			oxtask.OpDeleteJob: void(func(c *call, r *oxtask.DeleteJob) *soap.Fault {
				return c.job(r.Ctx, r.Auth, func(cid int) *soap.Fault {
					if j := c.st.Jobs[state.Number(r.I)]; j == nil || j.Context != cid {
						return c.st.Fault(state.KindTask, "Job with id %d not found", state.Number(r.I))
					}
					delete(c.st.Jobs, state.Number(r.I))
					return nil
				})
			}),
			oxtask.OpFlush: void(func(c *call, r *oxtask.Flush) *soap.Fault {
				return c.job(r.Ctx, r.Auth, func(cid int) *soap.Fault {
					maps.DeleteFunc(c.st.Jobs, func(_ int, j *state.Job) bool { return j.Context == cid })
					return nil
				})
			}),
			oxtask.OpGetJobList: on(func(c *call, r *oxtask.GetJobList) (*oxtask.GetJobListResponse, *soap.Fault) {
				out := &oxtask.GetJobListResponse{}
				return out, c.job(r.Ctx, r.Cred, func(cid int) *soap.Fault {
					var b strings.Builder
					b.WriteString("ID    | Type of Job                    | Status\n")
					for _, id := range slices.Sorted(maps.Keys(c.st.Jobs)) {
						if j := c.st.Jobs[id]; j.Context == cid {
							fmt.Fprintf(&b, "%-5d | %-30s | Done\n", j.ID, j.Name)
						}
					}
					out.Return_ = new(b.String())
					return nil
				})
			}),
			oxtask.OpGetTaskResults: on(func(c *call, r *oxtask.GetTaskResults) (*oxtask.GetTaskResultsResponse, *soap.Fault) {
				out := &oxtask.GetTaskResultsResponse{}
				return out, c.job(r.Ctx, r.Cred, func(cid int) *soap.Fault {
					j := c.st.Jobs[state.Number(r.Id)]
					if j == nil || j.Context != cid {
						return c.st.Fault(state.KindData, "Job with id %d not found", state.Number(r.Id))
					}
					out.Return_ = &xsd.Any{Text: j.Name}
					return nil
				})
			}),
		},
	}
}

// job runs f for the context of a request after checking that the master or the
// context's own admin asks.
func (c *call) job(ctx *oxtask.Context, auth *oxtask.Credentials, f func(cid int) *soap.Fault) *soap.Fault {
	ref := state.Convert[state.ContextRef](ctx)
	return c.locked(func() *soap.Fault {
		if ref == nil || ref.Id == nil {
			return c.st.Fault(state.KindCredentials, "Client sent invalid context data object")
		}
		cs := c.st.Context(state.Number(ref.Id))
		if !c.st.IsMaster(auth) && (cs == nil || !cs.IsAdmin(auth)) {
			return c.st.AuthFailed()
		}
		return f(state.Number(ref.Id))
	})
}
