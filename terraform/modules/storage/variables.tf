variable "name" {
  description = "What every name starts with."
  type        = string
}

variable "publish_role_arn" {
  description = "The role that is lent to builders: besides bare writers the only one that writes what visitors see."
  type        = string
}

variable "bare_writer_arns" {
  description = "Roles that publish by hand under a bare PROJECT_ID, and so replace what is there."
  type        = list(string)
}

variable "upload_days" {
  description = "After how many days an uploaded archive that stayed behind is removed."
  type        = number
}

variable "cache_days" {
  description = "After how many days what builds keep for later ones is removed."
  type        = number
}

variable "build_log_days" {
  description = "After how many days the logs of builds are removed."
  type        = number
}

variable "access_log_days" {
  description = "After how many days access logs are removed."
  type        = number
}

variable "noncurrent_days" {
  description = "How long what was overwritten or removed can be restored, in days."
  type        = number
}

variable "protect" {
  description = "Whether bucket, table and images refuse to be destroyed while something is in them."
  type        = bool
}

variable "redis" {
  description = "Where Redis lies, and how much it may hold (GB) and do (processing units a second)."
  type = object({
    subnet_ids         = list(string)
    security_group_ids = list(string)
    max_gb             = number
    max_ecpu           = number
  })

  validation {
    condition     = var.redis.max_gb >= 1 && var.redis.max_gb <= 5000 && var.redis.max_ecpu >= 1000
    error_message = "Redis holds from 1 to 5000 GB and does at least 1000 processing units a second."
  }
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
