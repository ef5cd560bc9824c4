variable "name" {
  description = "What every name starts with."
  type        = string
}

variable "source_url" {
  description = "The repository with the Dockerfiles and buildspec.yml, over https."
  type        = string

  validation {
    condition     = can(regex("^https://(github[.]com|gitlab[.]com|bitbucket[.]org)/[^@[:space:]]+$", var.source_url))
    error_message = "CodeBuild clones from https://github.com, https://gitlab.com or https://bitbucket.org. A private repository needs a source credential in the account besides."
  }
}

variable "source_ref" {
  description = "The branch, tag or commit that is built when none is given."
  type        = string
}

variable "architecture" {
  description = "The processors that the images are for: ARM64 or X86_64."
  type        = string
}

variable "repositories" {
  description = "The repositories of the images, by program."
  type        = map(object({ name = string, arn = string, url = string }))
}

variable "artifact_bucket" {
  description = "Where the tags of the images are left for Terraform."
  type        = object({ name = string, arn = string })
}

variable "kms_key_arn" {
  description = "The key that seals the log and the artefact."
  type        = string
}

variable "log_days" {
  description = "How long the log is kept, in days."
  type        = number
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
