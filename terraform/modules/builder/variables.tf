variable "name" {
  description = "What every name starts with; the task definition is `<name>-builder`."
  type        = string
}

variable "cluster_arn" {
  description = "The cluster that builders run in."
  type        = string
}

variable "image" {
  description = "The image of the builder. Null: everything but the task definition is made."
  type        = string
}

variable "repository_arn" {
  description = "The repository of the image."
  type        = string
}

variable "size" {
  description = "CPU units, MiB of memory and GiB of disk of one builder."
  type        = object({ cpu = number, memory = number, disk_gb = number })

  validation {
    condition     = contains([256, 512, 1024, 2048, 4096, 8192, 16384], var.size.cpu) && var.size.memory >= 2 * var.size.cpu && var.size.memory <= 8 * var.size.cpu
    error_message = "Fargate has 256, 512, 1024, 2048, 4096, 8192 or 16384 CPU units, with two to eight times as many MiB."
  }

  validation {
    condition     = var.size.disk_gb >= 21 && var.size.disk_gb <= 200
    error_message = "A builder's disk has from 21 to 200 GiB."
  }
}

variable "architecture" {
  description = "The processors: ARM64 or X86_64."
  type        = string
}

variable "on_ec2" {
  description = "Whether builders run on machines of the operator's and not on Fargate."
  type        = bool
}

variable "bucket_arn" {
  description = "The bucket of the sites."
  type        = string
}

variable "upload_role_arn" {
  description = "The role of the upload service: the only one that the publish role is lent to."
  type        = string
}

variable "kms_key_arn" {
  description = "The key that seals the log."
  type        = string
}

variable "log_group" {
  description = "The name of the builders' log group: what they say of themselves. The logs of builds are in the bucket."
  type        = string
}

variable "log_days" {
  description = "How long it is kept, in days."
  type        = number
}

variable "tags" {
  description = "Tags of everything."
  type        = map(string)
  default     = {}
}
