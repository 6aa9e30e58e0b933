package oxtest

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/ictmedia/schoolmail/internal/soap"
	"github.com/ictmedia/schoolmail/internal/xsd"
	"github.com/ictmedia/schoolmail/ox/internal/oxtask"
	"github.com/ictmedia/schoolmail/ox/internal/oxuser"
)

// Jobs are what the move operations start. The simulator carries them out at
// once and keeps them as finished until they are removed.

func (s *State) newJob(context int, name string) *int32 {
	s.nextJob++
	s.jobs[s.nextJob] = &job{id: s.nextJob, context: context, name: name}
	return id32(s.nextJob)
}

// filestoreRef is a file store as a request names it.
type filestoreRef struct{ Id *int32 }

func (s *State) findFilestore(ref *filestoreRef) (int, *soap.Fault) {
	if ref == nil || ref.Id == nil || s.filestores[number(ref.Id)] == nil {
		id := 0
		if ref != nil {
			id = number(ref.Id)
		}
		return 0, s.fault(kindNoFilestore, "No such filestore %d", id)
	}
	return number(ref.Id), nil
}

// moveTo carries out a file store move of one user: to a store of his own (own),
// or back to the context's.
func (c *call) moveTo(ctx *oxuser.Context, user *oxuser.User, auth *oxuser.Credentials, store *oxuser.Filestore,
	mustOwn, own bool, quota *int64) (id *int32, fault *soap.Fault) {
	fault = c.writing(c.admin(ctx, auth), func(cs *contextState) *soap.Fault {
		s := c.st
		u, f := s.findUser(cs, convert[userRef](user), false)
		if f != nil {
			return f
		}
		has := number(u.data.FilestoreId) != 0
		if mustOwn != has {
			return s.fault(kindStorage, "User %d in context %d has the wrong kind of file store for this operation.", u.id,
				cs.id)
		}
		data := *u.data
		if own {
			fs, f := s.findFilestore(convert[filestoreRef](store))
			if f != nil {
				return f
			}
			data.FilestoreId, data.Filestore_name = id32(fs), new(itoa(cs.id)+"_ctx_"+itoa(u.id)+"_user_store")
			if quota != nil {
				data.MaxQuota = quota
			}
		} else {
			data.FilestoreId, data.Filestore_name, data.MaxQuota = id32(0), nil, new(int64(-1))
		}
		cs.store(u, &data)
		id = s.newJob(cs.id, c.op.Name)
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
		handlers: map[*soap.Operation]handler{
			oxtask.OpDeleteJob: void(func(c *call, r *oxtask.DeleteJob) *soap.Fault {
				return c.job(r.Ctx, r.Auth, func(cid int) *soap.Fault {
					if j := c.st.jobs[number(r.I)]; j == nil || j.context != cid {
						return c.st.fault(kindTask, "Job with id %d not found", number(r.I))
					}
					delete(c.st.jobs, number(r.I))
					return nil
				})
			}),
			oxtask.OpFlush: void(func(c *call, r *oxtask.Flush) *soap.Fault {
				return c.job(r.Ctx, r.Auth, func(cid int) *soap.Fault {
					maps.DeleteFunc(c.st.jobs, func(_ int, j *job) bool { return j.context == cid })
					return nil
				})
			}),
			oxtask.OpGetJobList: on(func(c *call, r *oxtask.GetJobList) (*oxtask.GetJobListResponse, *soap.Fault) {
				out := &oxtask.GetJobListResponse{}
				return out, c.job(r.Ctx, r.Cred, func(cid int) *soap.Fault {
					var b strings.Builder
					b.WriteString("ID    | Type of Job                    | Status\n")
					for _, id := range slices.Sorted(maps.Keys(c.st.jobs)) {
						if j := c.st.jobs[id]; j.context == cid {
							fmt.Fprintf(&b, "%-5d | %-30s | Done\n", j.id, j.name)
						}
					}
					out.Return_ = new(b.String())
					return nil
				})
			}),
			oxtask.OpGetTaskResults: on(func(c *call, r *oxtask.GetTaskResults) (*oxtask.GetTaskResultsResponse, *soap.Fault) {
				out := &oxtask.GetTaskResultsResponse{}
				return out, c.job(r.Ctx, r.Cred, func(cid int) *soap.Fault {
					j := c.st.jobs[number(r.Id)]
					if j == nil || j.context != cid {
						return c.st.fault(kindData, "Job with id %d not found", number(r.Id))
					}
					out.Return_ = &xsd.Any{Text: j.name}
					return nil
				})
			}),
		},
	}
}

// job runs f for the context of a request after checking that the master or the
// context's own admin asks.
func (c *call) job(ctx *oxtask.Context, auth *oxtask.Credentials, f func(cid int) *soap.Fault) *soap.Fault {
	ref, a := convert[ctxRef](ctx), convert[creds](auth)
	return c.locked(func() *soap.Fault {
		if ref == nil || ref.Id == nil {
			return c.st.fault(kindCredentials, "Client sent invalid context data object")
		}
		cs := c.st.context(number(ref.Id))
		if !c.st.isMaster(a) && (cs == nil || !cs.isAdmin(a)) {
			return c.st.authFailed()
		}
		return f(number(ref.Id))
	})
}
