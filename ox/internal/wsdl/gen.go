package wsdl

//go:generate go run ../../../internal/wsdlfix -modfile ../../../go.tool.mod -shared ../oxdata ../oxcontext=OXContextService.wsdl ../oxgroup=OXGroupService.wsdl ../oxresource=OXResourceService.wsdl ../oxsecaccount=OXSecondaryAccountService.wsdl ../oxtask=OXTaskMgmtService.wsdl ../oxusercopy=OXUserCopyService.wsdl ../oxuser=OXUserService.wsdl ../oxutil=OXUtilService.wsdl
